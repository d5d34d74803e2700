//! Where a submission's programs are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::programs::PROGRAMS;

/// Programs by their names.
#[derive(Clone, Debug, Default)]
pub struct Submission {
    programs: BTreeMap<String, PathBuf>,
}

impl Submission {
    /// These executables.
    pub fn of(programs: BTreeMap<String, PathBuf>) -> Self {
        Self { programs }
    }

    /// A folder of executables with the programs' names, or of Python scripts with these names and `.py`.
    ///
    /// # Errors
    /// When it holds none of them.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let folder = std::path::absolute(folder)?;
        let mut programs = BTreeMap::new();
        for program in PROGRAMS {
            let names = [(*program).to_string(), format!("{program}.py")];
            let files = names.iter().map(|name| folder.join(name));
            if let Some(found) = files.into_iter().find(|file| file.is_file()) {
                programs.insert((*program).to_string(), found);
            }
        }
        if programs.is_empty() {
            bail!(
                "{} holds none of the programs: {} (or the same with .py)",
                folder.display(),
                PROGRAMS.join(", ")
            );
        }
        Ok(Self { programs })
    }

    /// How a program is started; `None` where it was not submitted.
    pub fn command(&self, program: &str) -> Option<Command> {
        let path = self.programs.get(program)?;
        if path.extension().is_some_and(|extension| extension == "py") {
            let mut python = Command::new("python3");
            python.arg("-u").arg(path);
            return Some(python);
        }
        Some(Command::new(path))
    }
}
