//! The lab programs of this workspace: their names, and how they are built.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The first build compiles librdkafka.
const BUILD_LIMIT: Duration = Duration::from_secs(30 * 60);

/// The lab programs, in the order of the tasks.
pub const PROGRAMS: &[&str] = &[
    "producer",
    "consumer",
    "consumer_group_a",
    "consumer_group_b",
    "consumer_crash",
];

/// The programs that have nothing to fill in: the starter is the solution.
const WITHOUT_HOLES: &[&str] = &["consumer_crash"];

/// Whose version of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// What stands in the student's crate.
    Own,
    /// The solution.
    Solution,
}

/// The folder of this workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// The package and the executable of a program.
pub fn target(program: &str, version: Version) -> (String, String) {
    if version == Version::Solution && !WITHOUT_HOLES.contains(&program) {
        ("solutions".to_string(), format!("solution_{program}"))
    } else {
        (program.to_string(), program.to_string())
    }
}

/// Builds these programs and returns where each of them lies. Cargo's progress and messages go to standard error.
///
/// # Errors
/// When one does not compile.
pub fn build(programs: &[&str], version: Version) -> Result<BTreeMap<String, PathBuf>> {
    let targets: Vec<_> = programs
        .iter()
        .map(|program| target(program, version))
        .collect();
    let built = build_in(workspace(), &targets)?;
    let named = programs.iter().map(ToString::to_string);
    Ok(named.zip(built).collect())
}

/// Builds executables, given by package and name, in the workspace at `folder`; returns their paths, in that order.
///
/// # Errors
/// When one does not compile.
pub fn build_in(folder: &Path, targets: &[(String, String)]) -> Result<Vec<PathBuf>> {
    let mut cargo = cargo("build");
    cargo
        .current_dir(folder)
        // Wherever the folder is, what was built before is found again.
        .args([
            "--target-dir".as_ref(),
            workspace().join("target").as_os_str(),
        ])
        .arg("--message-format=json-render-diagnostics");
    for (package, executable) in targets {
        cargo.args(["--package", package, "--bin", executable]);
    }
    let output = broker::run_loud(&mut cargo, BUILD_LIMIT)?;
    if !output.status.success() {
        bail!("the build failed; the compiler's messages are above");
    }
    let mut built = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: Message = serde_json::from_str(line).context("Cargo printed no JSON")?;
        if let (Some(target), Some(path)) = (message.target, message.executable) {
            built.insert(target.name, path);
        }
    }
    let paths = targets
        .iter()
        .map(|(_, executable)| built.remove(executable));
    let paths: Option<Vec<PathBuf>> = paths.collect();
    paths.context("Cargo built less than it was asked for")
}

/// The parts that matter here of a line that Cargo prints with `--message-format=json`.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// A Cargo command in this workspace.
pub fn cargo(subcommand: &str) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.current_dir(workspace()).arg(subcommand);
    cargo
}
