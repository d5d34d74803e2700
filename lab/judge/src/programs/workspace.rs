//! The lab programs of this workspace: their names, and how they are built.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The first build compiles librdkafka.
pub const BUILD_LIMIT: Duration = Duration::from_secs(30 * 60);

/// The lab programs, in the order of the tasks.
pub const PROGRAMS: &[&str] = &[
    "producer",
    "consumer",
    "consumer_group_a",
    "consumer_group_b",
    "consumer_crash",
    "billing",
    "exactly_once",
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
    let this_crate = Path::new(env!("CARGO_MANIFEST_DIR"));
    this_crate.ancestors().nth(2).unwrap_or(this_crate)
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
/// When one does not compile, or there are no solutions.
pub fn build(programs: &[&str], version: Version) -> Result<BTreeMap<String, PathBuf>> {
    if version == Version::Solution && !workspace().join("solutions").exists() {
        bail!("this workspace holds no solutions; whoever gave it to you has them");
    }
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
    // Wherever the folder is, what was built before is found again.
    let mut cargo = build_command(folder, &workspace().join("target"), targets);
    let output = broker::run_loud(
        cargo.arg("--message-format=json-render-diagnostics"),
        BUILD_LIMIT,
    )?;
    if !output.status.success() {
        bail!("the build failed; the compiler's messages are above");
    }
    let mut built = Built::read(&output.stdout)?;
    let paths = targets
        .iter()
        .map(|(_, executable)| built.executables.remove(executable));
    let paths: Option<Vec<PathBuf>> = paths.collect();
    paths.context("Cargo built less than it was asked for")
}

const KEEP_GOING: [&str; 2] = ["--keep-going", "--message-format=json"];

/// What became of a build in which some programs may not compile.
#[derive(Clone, Debug, Default)]
pub struct Built {
    /// Where the executables lie, by name.
    pub executables: BTreeMap<String, PathBuf>,
    /// The compiler's errors, by the name of the executable or library that they are about.
    pub errors: BTreeMap<String, String>,
}

impl Built {
    /// As [`build_in`], but what does not compile is left out, with the compiler's message instead. Cargo's progress goes to
    /// standard error.
    ///
    /// # Errors
    /// When Cargo itself fails, or on Ctrl-C.
    pub fn keep_going(cargo: &mut Command) -> Result<Self> {
        let built = broker::run_loud(cargo.args(KEEP_GOING), BUILD_LIMIT)?;
        Self::of(&built)
    }

    /// The same without a word, and within `limit`.
    ///
    /// # Errors
    /// As there.
    pub fn keep_going_quietly(cargo: &mut Command, limit: Duration) -> Result<Self> {
        let built = broker::run(cargo.args(KEEP_GOING), limit)?;
        Self::of(&built).with_context(|| broker::last_lines(&built.stderr, 5))
    }

    fn of(output: &Output) -> Result<Self> {
        let built = Self::read(&output.stdout)?;
        if !output.status.success() && built.errors.is_empty() {
            bail!("Cargo could not build");
        }
        Ok(built)
    }

    fn read(stdout: &[u8]) -> Result<Self> {
        let mut built = Self::default();
        for line in String::from_utf8_lossy(stdout).lines() {
            let message: Message = serde_json::from_str(line).context("Cargo printed no JSON")?;
            let Some(target) = message.target else {
                continue;
            };
            if let Some(path) = message.executable {
                built.executables.insert(target.name, path);
            } else if let Some(diagnostic) = message.message.filter(|found| found.level == "error")
            {
                *built.errors.entry(target.name).or_default() += &diagnostic.rendered;
            }
        }
        Ok(built)
    }

    /// Why this executable is not there: its own errors, or else those of what it is built on.
    pub fn error(&self, executable: &str) -> String {
        match self.errors.get(executable) {
            Some(own) => own.clone(),
            None => self.errors.values().cloned().collect(),
        }
    }
}

/// Builds executables, given by package and name, in the workspace at `folder`.
pub fn build_command(folder: &Path, target: &Path, targets: &[(String, String)]) -> Command {
    let mut build = cargo("build");
    build
        .current_dir(folder)
        .args(["--target-dir".as_ref(), target.as_os_str()]);
    for (package, executable) in targets {
        build.args(["--package", package, "--bin", executable]);
    }
    build
}

/// The parts that matter here of a line that Cargo prints with `--message-format=json`.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
    message: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    #[serde(default)]
    rendered: String,
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
