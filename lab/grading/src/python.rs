//! The Python that runs submitted scripts: `python3` of this machine.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use broker::run;
use serde::Deserialize;

/// A script that prints the paths of the interpreter and its libraries. It has to be asked, because `python3` may be a wrapper
/// that chooses between several interpreters.
const ASK: &str = "import importlib.util, json, site, sys
print(json.dumps({'executable': sys.executable, 'path': sys.path[1:] + [sys.prefix, sys.base_prefix], \
'user_base': site.getuserbase(), 'user_site': site.getusersitepackages(), 'has_client': importlib.util.find_spec('confluent_kafka') is not None}))";

/// The Kafka client that the slides use, by the name under which scripts import it.
const CLIENT: &str = "confluent_kafka";

/// An interpreter, and the paths that it must be allowed to read.
#[derive(Clone, Debug, Deserialize)]
pub struct Python {
    pub executable: PathBuf,
    pub path: Vec<PathBuf>,
    pub user_base: PathBuf,
    user_site: PathBuf,
    has_client: bool,
}

impl Python {
    /// The interpreter for these scripts; `None` if there are no scripts.
    ///
    /// # Errors
    /// When this machine has no Python, or when its Python lacks the Kafka client that the scripts import.
    pub fn for_scripts(mut scripts: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let Some(first) = scripts.next() else {
            return Ok(None);
        };
        let python = Self::find()?;
        let imports = |script: String| script.contains(CLIENT);
        if !python.has_client && (imports(first) || scripts.any(imports)) {
            bail!(
                "the submission's scripts import {CLIENT}, but {} does not have it. Install it with \
                 `python3 -m pip install confluent-kafka`",
                python.executable.display()
            );
        }
        Ok(Some(python))
    }

    fn find() -> Result<Self> {
        let output = run(
            Command::new("python3").args(["-c", ASK]),
            Duration::from_secs(30),
        )
        .context("the submission has Python scripts, but this machine has no `python3`. Install Python 3")?;
        if !output.status.success() {
            bail!(
                "`python3` cannot say where its libraries are: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// The paths that it reads, apart from the scripts.
    pub fn readable(&self) -> impl Iterator<Item = PathBuf> {
        let own = [self.executable.clone(), self.user_site.clone()];
        own.into_iter().chain(self.path.clone())
    }
}
