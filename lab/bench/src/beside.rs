//! Programs in another client, which are measured beside ours.

use std::path::{Path, PathBuf};

use anyhow::Result;
use terminal::Usage;

/// Two executables that do what the scripts in Python do. They take the same arguments, and report in the same way.
#[derive(Clone, Debug)]
pub struct Beside {
    pub consumer: PathBuf,
    pub producer: PathBuf,
}

impl Beside {
    /// The executables `consumer` and `producer` in this folder.
    ///
    /// # Errors
    /// [`Usage`] if one of them is missing.
    pub fn find(folder: &Path) -> Result<Self> {
        Ok(Self {
            consumer: executable(&folder.join("consumer"))?,
            producer: executable(&folder.join("producer"))?,
        })
    }
}

/// The whole path of an executable that the user has named.
///
/// # Errors
/// [`Usage`] if there is no such file.
pub fn executable(path: &Path) -> Result<PathBuf> {
    let whole = path.canonicalize();
    Ok(whole.map_err(|error| Usage(format!("{}: {error}", path.display())))?)
}
