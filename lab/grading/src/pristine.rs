//! A workspace without solutions or checks, in which the sources of submissions are built. Its dependencies are built once.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use broker::{Cache, Scratch, run, run_loud, wait};
use confine::Confinement;
use judge::Submission;
use judge::programs::{BUILD_LIMIT, Built, PROGRAMS, cargo, workspace};
use parking_lot::Mutex;
use toml::{Table, Value};
use walkdir::WalkDir;

use crate::built_before::{copy, take_over};
use crate::digest::Digest;
use crate::intake::Intake;

/// How long a submission may take to compile. It usually takes 8 s, and ten times as long on an overloaded machine.
const LIMIT: Duration = Duration::from_secs(240);

/// The file that shows that a template is complete. It holds the environment variables that the template was built with.
const COMPLETE: &str = "complete.json";

/// Outweighs what somebody has configured for the builds on this machine (Cargo: Configuration). Otherwise a warning in a submission
/// could be an error here, although the student has never seen it.
const SAME_FOR_ALL: [(&str, &str); 4] = [
    ("CARGO_ENCODED_RUSTFLAGS", ""),
    ("CARGO_BUILD_WARNINGS", "warn"),
    ("CARGO_BUILD_RUSTC_WRAPPER", ""),
    ("CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER", ""),
];

/// Files of this size in bytes, and larger ones, are shared with the template by hard links. Nothing writes to them after the
/// dependencies are built.
const SHARED_FROM: u64 = 16 * 1024;

/// A copy of the template. Submissions are built in it, one after the other.
pub struct Pristine {
    /// Removed when this is dropped.
    scratch: Scratch,
    sysroot: PathBuf,
    /// The environment variables that the dependencies were built with, such as `CC`. If one had another value, Cargo would
    /// build the dependencies again.
    variables: BTreeMap<String, String>,
    turn: Mutex<()>,
}

impl Pristine {
    /// Makes a copy of the template, and first the template itself if there is none yet. That takes half a minute if the
    /// dependencies can be copied from this build of the lab, and some minutes otherwise.
    ///
    /// # Errors
    /// When the dependencies cannot be built, or a file cannot be read or written.
    pub fn prepare() -> Result<Self> {
        let sysroot = sysroot()?;
        let cache = Cache::open()?;
        let manifest = manifest()?.to_string();
        let lock = fs::read_to_string(workspace().join("Cargo.lock"))?;
        let name = format!(
            "grading-{}",
            digest(&manifest, &lock, &sysroot, &cache.run())?
        );
        let is_complete = |folder: &Path| folder.join(COMPLETE).exists();
        let template = cache.complete(&name, is_complete, |folder| {
            eprintln!("Building the crates that submissions depend on. This happens only once …");
            make_template(folder, &manifest, &lock)
        })?;

        let scratch = cache.scratch()?;
        for folder in ["workspace", "target"] {
            copy(&template.join(folder), &scratch.path().join(folder), share)?;
        }
        let variables = fs::read(template.join(COMPLETE))?;
        Ok(Self {
            scratch,
            sysroot,
            variables: serde_json::from_slice(&variables)?,
            turn: Mutex::default(),
        })
    }

    /// Builds the programs of a submission, and copies the executables to `folder`. A submission that does not compile is not
    /// an error.
    ///
    /// # Errors
    /// When not even empty programs could be built, when a file cannot be read or written, and on Ctrl-C.
    pub fn build(&self, intake: &Intake, folder: &Path) -> Result<Submission> {
        let _turn = self.turn.lock();
        self.empty()?;
        intake.write(&self.scratch.path().join("workspace"))?;
        let programs = intake.programs();
        let mut built = match Built::keep_going_quietly(&mut self.command(&programs)?, LIMIT) {
            Ok(built) => {
                if built.errors.values().any(|error| may_be_ours(error)) {
                    self.ensure_the_empty_one_builds(&programs)?;
                }
                built
            }
            Err(error) => {
                wait::check_stop()?;
                self.ensure_the_empty_one_builds(&programs)?;
                let why = format!("it could not be built: {error:#}");
                let errors = programs
                    .iter()
                    .map(|program| ((*program).to_string(), why.clone()));
                Built {
                    errors: errors.collect(),
                    ..Built::default()
                }
            }
        };
        for (name, path) in &mut built.executables {
            let own = folder.join(name);
            fs::copy(&*path, &own)?;
            *path = own;
        }
        let folders = [
            self.scratch.path().join("workspace"),
            self.scratch.path().to_path_buf(),
        ];
        Ok(Submission::from_build(&programs, &built, &folders))
    }

    /// Replaces all programs by programs that do nothing. A program that is not submitted is still a member of the workspace, so
    /// it needs some source.
    fn empty(&self) -> Result<()> {
        for program in PROGRAMS {
            let source = self
                .scratch
                .path()
                .join("workspace")
                .join(program)
                .join("src");
            fs::remove_dir_all(&source)?;
            fs::create_dir(&source)?;
            fs::write(source.join("main.rs"), "fn main() {}\n")?;
        }
        // A submission must not find what was built for the one before it.
        for folder in ["", "deps", ".fingerprint"] {
            for entry in fs::read_dir(self.scratch.path().join("target/debug").join(folder))? {
                let entry = entry?;
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let of = name.split(['-', '.']).next().unwrap_or_default();
                if !PROGRAMS.contains(&of) {
                    continue;
                }
                if entry.file_type()?.is_dir() {
                    fs::remove_dir_all(entry.path())?;
                } else {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }

    /// Builds programs that do nothing. If not even these can be built, the submission is not to blame for a failed build.
    fn ensure_the_empty_one_builds(&self, programs: &[&str]) -> Result<()> {
        self.empty()?;
        let built = Built::keep_going_quietly(&mut self.command(programs)?, LIMIT)
            .context("not even programs that do nothing could be built")?;
        if let Some(error) = built.errors.values().next() {
            bail!("not even programs that do nothing could be built: {error}");
        }
        Ok(())
    }

    fn command(&self, programs: &[&str]) -> Result<Command> {
        let workspace = self.scratch.path().join("workspace");
        let target = self.scratch.path().join("target");
        let mut build = Command::new(self.sysroot.join("bin/cargo"));
        build
            // Not as many jobs as the machine has cores, because all of them share the memory limit of one program.
            .args([
                "build",
                "--quiet",
                "--offline",
                "--locked",
                "--jobs",
                "4",
                "--target-dir",
            ])
            .arg(&target);
        for program in programs {
            build.args(["--package", program]);
        }
        let cargo_home = cargo_home()?;
        let mut variables: Vec<_> = self.variables.clone().into_iter().collect();
        variables.extend([
            ("CARGO_HOME".to_string(), cargo_home.display().to_string()),
            (
                "RUSTC".to_string(),
                self.sysroot.join("bin/rustc").display().to_string(),
            ),
        ]);
        variables.extend(SAME_FOR_ALL.map(|(name, value)| (name.to_string(), value.to_string())));
        // Not the whole folder, because Cargo keeps credentials in it.
        let mut readable: Vec<PathBuf> = ["registry", "git"]
            .iter()
            .map(|name| cargo_home.join(name))
            .collect();
        readable.extend(configuration(&cargo_home, &workspace));
        readable.retain(|path| path.exists());
        readable.push(self.sysroot.clone());
        let confinement = Confinement {
            readable,
            writable: vec![target],
            variables,
            ..Confinement::default()
        };
        let mut command = confine::confined(&build, &confinement)?;
        command.current_dir(workspace);
        Ok(command)
    }
}

/// Where Cargo looks for its configuration: in its own folder, and in all folders above the one that it is started in. It gives
/// up if there is such a file and it cannot be read.
fn configuration(cargo_home: &Path, started_in: &Path) -> impl Iterator<Item = PathBuf> {
    let above = started_in.ancestors().map(|folder| folder.join(".cargo"));
    let folders = above.chain([cargo_home.to_path_buf()]);
    folders.flat_map(|folder| ["config.toml", "config"].map(|name| folder.join(name)))
}

/// Could rustc say this about any program, for example because the disk is full or there is no linker?
fn may_be_ours(error: &str) -> bool {
    ["No space left on device", "linking with", "linker"]
        .iter()
        .any(|words| error.contains(words))
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::home_dir();
    let home = home.context("Cargo's files cannot be found: set HOME or CARGO_HOME")?;
    Ok(home.join(".cargo"))
}

/// The folder of the compiler itself. `rustc` may be a wrapper that chooses between several compilers.
fn sysroot() -> Result<PathBuf> {
    let mut rustc = Command::new("rustc");
    let output = run(
        rustc.current_dir(workspace()).args(["--print", "sysroot"]),
        Duration::from_secs(30),
    )?;
    if !output.status.success() {
        bail!(
            "`rustc --print sysroot` failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8(output.stdout)?.trim().into())
}

/// The manifest of this workspace, with the lab programs and `common` as its only members.
fn manifest() -> Result<Table> {
    let mut lab: Table = fs::read_to_string(workspace().join("Cargo.toml"))?.parse()?;
    let members = ["common"]
        .iter()
        .chain(PROGRAMS)
        .map(|name| Value::from(*name));
    let root = lab.get_mut("workspace").and_then(Value::as_table_mut);
    let root = root.context("Cargo.toml of this workspace has no [workspace]")?;
    root.insert("members".to_string(), Value::Array(members.collect()));
    // Nobody debugs these executables.
    let profile: Table = "dev = { debug = false, incremental = false }".parse()?;
    lab.insert("profile".to_string(), profile.into());
    Ok(lab)
}

/// The digest of everything that a template is made from.
fn digest(manifest: &str, lock: &str, sysroot: &Path, cache: &Path) -> Result<String> {
    let mut digest = Digest::default();
    digest
        .field(manifest)
        .field(lock)
        .field(sysroot.as_os_str().as_bytes());
    let manifests = PROGRAMS
        .iter()
        .map(|program| workspace().join(program).join("Cargo.toml"));
    for file in configuration(&cargo_home()?, cache) {
        digest.field(fs::read(file).unwrap_or_default());
    }
    for file in of_common().into_iter().chain(manifests) {
        // The path within the workspace, so that workspaces with the same files share a template.
        let path = file.strip_prefix(workspace()).unwrap_or(&file);
        digest
            .field(path.as_os_str().as_bytes())
            .field(fs::read(&file).unwrap_or_default());
    }
    Ok(digest.hex())
}

/// The files of the crate `common`.
fn of_common() -> Vec<PathBuf> {
    let entries = WalkDir::new(workspace().join("common")).sort_by_file_name();
    let files = entries
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file());
    files.map(walkdir::DirEntry::into_path).collect()
}

fn make_template(folder: &Path, manifest: &str, lock: &str) -> Result<()> {
    let copy_of = folder.join("workspace");
    fs::create_dir_all(&copy_of)?;
    fs::write(copy_of.join("Cargo.toml"), manifest)?;
    fs::write(copy_of.join("Cargo.lock"), lock)?;
    for file in of_common() {
        let to = copy_of.join(file.strip_prefix(workspace())?);
        fs::create_dir_all(to.parent().context("a file of `common` has no folder")?)?;
        fs::copy(&file, to)?;
    }
    for program in PROGRAMS {
        let to = copy_of.join(program);
        fs::create_dir_all(to.join("src"))?;
        fs::copy(
            workspace().join(program).join("Cargo.toml"),
            to.join("Cargo.toml"),
        )?;
        fs::write(to.join("src/main.rs"), "fn main() {}\n")?;
    }
    let target = folder.join("target");
    if take_over(lock, PROGRAMS, &target).is_err() && target.exists() {
        fs::remove_dir_all(&target)?;
    }
    let mut build = cargo("build");
    build
        .current_dir(&copy_of)
        .args(["--workspace", "--target-dir"])
        .arg(&target);
    build.envs(SAME_FOR_ALL);
    if !run_loud(&mut build, BUILD_LIMIT)?.status.success() {
        bail!(
            "the crates that submissions depend on could not be built; Cargo's messages are above"
        );
    }
    // The members are built again in each copy: their build results depend on the folder that they are in.
    let mut clean = cargo("clean");
    clean
        .envs(SAME_FOR_ALL)
        .current_dir(&copy_of)
        .arg("--target-dir")
        .arg(&target);
    for member in ["common"].iter().chain(PROGRAMS) {
        clean.args(["--package", member]);
    }
    run_loud(clean.arg("--quiet"), BUILD_LIMIT)?;
    let variables = serde_json::to_string(&variables_of_build(&target)?)?;
    Ok(fs::write(folder.join(COMPLETE), variables)?)
}

/// The environment variables that are set and that a build script depends on.
fn variables_of_build(target: &Path) -> Result<BTreeMap<String, String>> {
    let mut variables = BTreeMap::new();
    for script in fs::read_dir(target.join("debug/build"))? {
        let said = fs::read_to_string(script?.path().join("output")).unwrap_or_default();
        for line in said.lines() {
            let name = line.trim_start_matches("cargo:").trim_start_matches(':');
            if let Some(name) = name.strip_prefix("rerun-if-env-changed=")
                && let Ok(value) = std::env::var(name)
            {
                variables.insert(name.to_string(), value);
            }
        }
    }
    Ok(variables)
}

/// Copies a file. A large file is linked instead, if both folders are on the same disk.
fn share(from: &Path, to: &Path) -> io::Result<()> {
    let shared = from.metadata()?.len() >= SHARED_FROM && fs::hard_link(from, to).is_ok();
    if shared {
        return Ok(());
    }
    fs::copy(from, to).map(drop)
}
