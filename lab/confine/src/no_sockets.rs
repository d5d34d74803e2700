//! Stands in for `sockets.rs` on systems that cannot filter system calls.

use anyhow::Result;

/// No filter.
pub type Filter = ();

/// Makes no filter: nothing can be enforced.
pub fn filter() -> Result<Option<Filter>> {
    Ok(None)
}

/// Does nothing.
pub fn restrict((): &Filter) -> Result<()> {
    Ok(())
}

/// No sentence: the one about Landlock already says it.
pub fn gaps() -> Option<&'static str> {
    None
}
