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
        let find = |name: &str| {
            let path = folder.join(name);
            path.canonicalize()
                .map_err(|error| Usage(format!("{}: {error}", path.display())))
        };
        Ok(Self {
            consumer: find("consumer")?,
            producer: find("producer")?,
        })
    }
}
