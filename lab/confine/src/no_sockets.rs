//! Where system calls can't be filtered.

use anyhow::Result;

/// Nothing can be enforced.
pub fn filter() -> Result<Option<()>> {
    Ok(None)
}

/// Binds nobody.
pub fn restrict((): &()) -> Result<()> {
    Ok(())
}

/// What Landlock's absence says already.
pub fn gaps() -> Option<&'static str> {
    None
}
