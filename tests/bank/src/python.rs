//! The Python that runs the bank's scripts: an environment of its own, made once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use broker::{Cache, last_lines, run};
use judge::programs::workspace;

const INSTALL_LIMIT: Duration = Duration::from_secs(300);

/// Kafka's client for Python and its version.
const REQUIREMENTS: &str = include_str!("../../misconceptions/python/requirements.txt");

/// The interpreter of the environment.
///
/// # Errors
/// When there is no Python 3 with venv and pip, or the client cannot be installed.
pub fn interpreter() -> Result<PathBuf> {
    let name = format!("python-{}", REQUIREMENTS.trim().replace("==", "-"));
    let python = |folder: &Path| folder.join("bin/python");
    let whole = |folder: &Path| folder.join("complete").exists();
    let folder = Cache::open()?.complete(&name, whole, |folder| {
        eprintln!("Python: installing {} (once) …", REQUIREMENTS.trim());
        must(Command::new("python3").args(["-m", "venv"]).arg(folder)).context(
            "the bank has programs in Python, and needs Python 3 with venv and pip (Debian: \
             `apt-get install python3-venv`)",
        )?;
        let requirements = workspace().join("tests/misconceptions/python/requirements.txt");
        must(
            Command::new(python(folder))
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    "-r",
                ])
                .arg(requirements),
        )?;
        fs::write(folder.join("complete"), "")?;
        Ok(())
    })?;
    Ok(python(&folder))
}

fn must(command: &mut Command) -> Result<()> {
    let output = run(command, INSTALL_LIMIT)?;
    if !output.status.success() {
        bail!("{command:?}: {}", last_lines(&output.stderr, 5));
    }
    Ok(())
}
