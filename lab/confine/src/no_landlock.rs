//! Where there is no Landlock.

use std::path::PathBuf;

use anyhow::Result;

use crate::Confinement;

/// Nothing can be enforced.
pub fn rules(_: &Confinement, _: &[PathBuf]) -> Result<()> {
    Ok(())
}

/// Binds nobody.
pub fn restrict(_: ()) -> Result<()> {
    Ok(())
}

/// It never is.
pub fn is_available() -> bool {
    false
}

/// What is not enforced.
pub fn gaps() -> Vec<&'static str> {
    vec![
        "this system has no Landlock: programs may read what their user may read, and connect to anything",
    ]
}
