//! Stands in for `landlock.rs` on systems without Landlock.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::Confinement;

/// No rules.
pub type Rules = ();

/// Makes no rules: nothing can be enforced.
pub fn rules(_: &Confinement, _: &[PathBuf]) -> Result<Rules> {
    Ok(())
}

/// Whether a program may read this file: nothing is closed.
pub fn opens(_: &Confinement, _: &[PathBuf], _: &Path) -> bool {
    true
}

/// Does nothing.
pub fn restrict((): Rules) -> Result<()> {
    Ok(())
}

/// Whether Landlock can close files to a confined program: never.
pub fn is_available() -> bool {
    false
}

/// The restrictions that this system does not enforce.
pub fn gaps() -> Vec<&'static str> {
    vec![
        "this system has no Landlock: programs can read everything that their user can read, and connect to any address",
    ]
}
