//! The Python that runs the bank's scripts, in a virtual environment that is made once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use broker::{Cache, last_lines, run};
use judge::programs::workspace;

const INSTALL_LIMIT: Duration = Duration::from_secs(300);

/// The Kafka client for Python, and its version.
const REQUIREMENTS: &str = include_str!("../../misconceptions/python/requirements.txt");

/// The Python interpreter of the environment. Makes the environment if it does not exist yet.
///
/// # Errors
/// When Python 3 with venv and pip is missing, or the client cannot be installed.
pub fn interpreter() -> Result<PathBuf> {
    let name = format!("python-{}", REQUIREMENTS.trim().replace("==", "-"));
    let python = |folder: &Path| folder.join("bin/python");
    let whole = |folder: &Path| folder.join("complete").exists();
    let folder = Cache::open()?.complete(&name, whole, |folder| {
        eprintln!("Python: installing {} (once) …", REQUIREMENTS.trim());
        must(Command::new("python3").args(["-m", "venv"]).arg(folder)).context(
            "cannot make a Python environment for the bank's programs in Python. Install Python 3 with venv and pip \
             (Debian: `apt-get install python3-venv`)",
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
        bail!("{command:?} failed: {}", last_lines(&output.stderr, 5));
    }
    Ok(())
}
