//! The Python that runs submitted scripts: what `python3` is here.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use broker::run;
use serde::Deserialize;

/// Prints where the interpreter and its libraries lie. What is called `python3` may only choose between several.
const ASK: &str = "import importlib.util, json, site, sys
print(json.dumps({'executable': sys.executable, 'path': sys.path[1:] + [sys.prefix, sys.base_prefix], \
'user_base': site.getuserbase(), 'user_site': site.getusersitepackages(), 'has_client': importlib.util.find_spec('confluent_kafka') is not None}))";

/// The slides' client, as scripts import it.
const CLIENT: &str = "confluent_kafka";

/// An interpreter, and what it must be allowed to read.
#[derive(Clone, Debug, Deserialize)]
pub struct Python {
    pub executable: PathBuf,
    pub path: Vec<PathBuf>,
    pub user_base: PathBuf,
    user_site: PathBuf,
    has_client: bool,
}

impl Python {
    /// The one of this machine, where there are scripts.
    ///
    /// # Errors
    /// When there is none, or it lacks the Kafka client that they import.
    pub fn for_scripts(mut scripts: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let Some(first) = scripts.next() else {
            return Ok(None);
        };
        let python = Self::find()?;
        let imports = |script: String| script.contains(CLIENT);
        if !python.has_client && (imports(first) || scripts.any(imports)) {
            bail!(
                "the submission's scripts import {CLIENT}, and {} does not have it: `python3 -m pip install confluent-kafka`",
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
        .context("the submission has Python scripts, and there is no `python3` here")?;
        if !output.status.success() {
            bail!("python3: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// All that it reads besides the scripts.
    pub fn readable(&self) -> impl Iterator<Item = PathBuf> {
        let own = [self.executable.clone(), self.user_site.clone()];
        own.into_iter().chain(self.path.clone())
    }
}
