//! The lab programs of this workspace: their names, and how they are built.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;

/// How long a build may take. The first one compiles librdkafka.
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

/// The programs without holes. Their starter is also their solution.
const WITHOUT_HOLES: &[&str] = &["consumer_crash"];

/// The package of `cargo lab`.
const LAB: &str = "cli";

/// Which version of a program is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The one in the student's crate.
    Own,
    /// The solution.
    Solution,
}

/// Returns the folder of this workspace.
pub fn workspace() -> &'static Path {
    let this_crate = Path::new(env!("CARGO_MANIFEST_DIR"));
    this_crate.ancestors().nth(2).unwrap_or(this_crate)
}

/// Returns the names of a program's package and executable.
pub fn target(program: &str, version: Version) -> (String, String) {
    if version == Version::Solution && !WITHOUT_HOLES.contains(&program) {
        ("solutions".to_string(), format!("solution_{program}"))
    } else {
        (program.to_string(), program.to_string())
    }
}

/// Builds these programs and returns the path of each executable. Cargo's progress and messages go to standard error.
///
/// # Errors
/// If one does not compile, if this workspace does not contain the solutions, or on Ctrl-C.
pub fn build(programs: &[&str], version: Version) -> Result<BTreeMap<String, PathBuf>> {
    if version == Version::Solution && !workspace().join("solutions").exists() {
        bail!("this workspace does not contain the solutions; your instructor has them");
    }
    let targets: Vec<_> = programs
        .iter()
        .map(|program| target(program, version))
        .collect();
    let built = paths_of_built(own_build_command(&targets), &targets)?;
    let named = programs.iter().map(ToString::to_string);
    Ok(named.zip(built).collect())
}

/// Builds executables in the workspace at `folder`. Each target is the name of a package and of its executable. Returns the
/// paths of the executables, in the same order.
///
/// # Errors
/// If one does not compile, or on Ctrl-C.
pub fn build_in(folder: &Path, targets: &[(String, String)]) -> Result<Vec<PathBuf>> {
    // All folders share the target folder of this workspace, so Cargo finds what it has built before.
    let cargo = build_command(folder, &workspace().join("target"), targets);
    paths_of_built(cargo, targets)
}

/// Builds executables of this workspace as [`build_in`] does, but with optimization: for programs whose speed is measured.
///
/// # Errors
/// If one does not compile, or on Ctrl-C.
pub fn build_optimized<const COUNT: usize>(
    targets: &[(String, String); COUNT],
) -> Result<[PathBuf; COUNT]> {
    let mut cargo = build_command(workspace(), &workspace().join("target"), targets);
    cargo.arg("--release");
    let built = paths_of_built(cargo, targets)?;
    built
        .try_into()
        .map_err(|_| anyhow!("Cargo built another number of programs than it should"))
}

fn paths_of_built(mut cargo: Command, targets: &[(String, String)]) -> Result<Vec<PathBuf>> {
    let output = broker::run_loud(
        cargo.arg("--message-format=json-render-diagnostics"),
        BUILD_LIMIT,
    )?;
    if !output.status.success() {
        bail!("the build failed; fix the compiler errors above, then try again");
    }
    let mut built = Built::read(&output.stdout)?;
    let paths = targets
        .iter()
        .map(|(_, executable)| built.executables.remove(executable));
    let paths: Option<Vec<PathBuf>> = paths.collect();
    paths.context("Cargo did not name the path of every executable that it should build")
}

const KEEP_GOING: [&str; 2] = ["--keep-going", "--message-format=json"];

/// The result of a build that goes on if a program does not compile.
#[derive(Clone, Debug, Default)]
pub struct Built {
    /// The paths of the executables, by name.
    pub executables: BTreeMap<String, PathBuf>,
    /// The compiler's errors, by the name of the executable or library in which they occur.
    pub errors: BTreeMap<String, String>,
}

impl Built {
    /// Runs a build and goes on if a program does not compile. Cargo's progress goes to standard error.
    ///
    /// # Errors
    /// If Cargo itself fails, or on Ctrl-C.
    pub fn keep_going(cargo: &mut Command) -> Result<Self> {
        let built = broker::run_loud(cargo.args(KEEP_GOING), BUILD_LIMIT)?;
        Self::of(&built)
    }

    /// Does the same as [`Built::keep_going`], but prints nothing.
    ///
    /// # Errors
    /// If Cargo itself fails or takes longer than `limit`, or on Ctrl-C.
    pub fn keep_going_quietly(cargo: &mut Command, limit: Duration) -> Result<Self> {
        let built = broker::run(cargo.args(KEEP_GOING), limit)?;
        Self::of(&built).with_context(|| broker::last_lines(&built.stderr, 5))
    }

    fn of(output: &Output) -> Result<Self> {
        let built = Self::read(&output.stdout)?;
        if !output.status.success() && built.errors.is_empty() {
            bail!("the build failed, but the compiler reported no error");
        }
        Ok(built)
    }

    fn read(stdout: &[u8]) -> Result<Self> {
        let mut built = Self::default();
        for line in String::from_utf8_lossy(stdout).lines() {
            let message: Message =
                serde_json::from_str(line).context("Cargo printed a line that is not JSON")?;
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

    /// Returns the compiler's errors because of which an executable is missing: its own errors, or if it has none, those of
    /// the libraries that it uses.
    pub fn error(&self, executable: &str) -> String {
        match self.errors.get(executable) {
            Some(own) => own.clone(),
            None => self.errors.values().cloned().collect(),
        }
    }
}

/// Returns the command that builds executables in the workspace at `folder`, into the target folder `target`. Each of the
/// `targets` is the name of a package and of its executable.
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

/// Returns the command that builds executables of this workspace. Their dependencies get the features that they have in `cargo
/// lab`, so Cargo has built them before. Only the `targets` are built.
pub fn own_build_command(targets: &[(String, String)]) -> Command {
    let mut build = build_command(workspace(), &workspace().join("target"), targets);
    build.args(["--package", LAB]);
    build
}

/// The fields used here of a line that Cargo prints with `--message-format=json`.
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

/// Returns a Cargo command that runs in this workspace.
pub fn cargo(subcommand: &str) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.current_dir(workspace()).arg(subcommand);
    cargo
}
