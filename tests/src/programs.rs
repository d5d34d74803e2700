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
    let targets: BTreeMap<_, _> = programs.iter().map(|p| (target(p, version), *p)).collect();
    let mut found = BTreeMap::new();
    for built in cargo_build(targets.keys())? {
        let key = (built.package, built.executable.name);
        if let Some(program) = targets.get(&key) {
            found.insert((*program).to_string(), built.executable.path);
        }
    }
    for program in programs {
        if !found.contains_key(*program) {
            bail!("Cargo built no executable for {program}");
        }
    }
    Ok(found)
}

struct Built {
    package: String,
    executable: Executable,
}

struct Executable {
    name: String,
    path: PathBuf,
}

/// The parts that matter here of a line that Cargo prints with `--message-format=json`.
#[derive(Deserialize)]
struct Message {
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

fn cargo_build<'a>(targets: impl Iterator<Item = &'a (String, String)>) -> Result<Vec<Built>> {
    let mut cargo = cargo("build");
    cargo.arg("--message-format=json-render-diagnostics");
    for (package, executable) in targets {
        cargo.args(["--package", package, "--bin", executable]);
    }
    let output = broker::run_loud(&mut cargo, BUILD_LIMIT)?;
    if !output.status.success() {
        bail!("the build failed; the compiler's messages are above");
    }
    let mut built = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: Message = serde_json::from_str(line).context("Cargo printed no JSON")?;
        if let (Some(manifest), Some(target), Some(path)) =
            (message.manifest_path, message.target, message.executable)
        {
            let folder = manifest
                .parent()
                .and_then(Path::file_name)
                .unwrap_or_default();
            built.push(Built {
                package: folder.to_string_lossy().into_owned(),
                executable: Executable {
                    name: target.name,
                    path,
                },
            });
        }
    }
    Ok(built)
}

/// A Cargo command in this workspace.
pub fn cargo(subcommand: &str) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.current_dir(workspace()).arg(subcommand);
    cargo
}
