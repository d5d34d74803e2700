//! The measured programs that show how tasks are solved. Students do not get them.

use std::path::{Path, PathBuf};

use anyhow::Result;
use judge::programs::{build_optimized, workspace};

const FOLDER: &str = "solutions/measured";
const PACKAGE: &str = "measured_solutions";
const PROGRAMS: [&str; 2] = ["measured_producer", "measured_copier"];

/// Where these programs are.
#[derive(Debug)]
pub struct Solutions {
    /// Publishes as task 1 asks.
    pub producer: PathBuf,
    /// The same as a Python script.
    pub script: PathBuf,
    /// Copies as task 6 asks.
    pub copier: PathBuf,
}

impl Solutions {
    /// Builds the programs; `None` if this workspace does not contain them.
    ///
    /// # Errors
    /// If one does not compile, or on Ctrl-C.
    pub fn find() -> Result<Option<Self>> {
        let folder: &Path = &workspace().join(FOLDER);
        if !folder.exists() {
            return Ok(None);
        }
        let targets = PROGRAMS.map(|program| (PACKAGE.to_string(), program.to_string()));
        let [producer, copier] = build_optimized(&targets)?;
        Ok(Some(Self {
            producer,
            script: folder.join("producer.py"),
            copier,
        }))
    }
}
