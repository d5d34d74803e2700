//! A workspace without solutions or checks, with dependencies that were built once.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
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
use crate::intake::Intake;

/// How long a submission may take to compile. Seen 8 s, and ten times that on a machine with too much to do.
const LIMIT: Duration = Duration::from_secs(240);

/// The file that says that a template is whole, and which variables it was built with.
const COMPLETE: &str = "complete.json";

/// Files that are larger are shared with the template, for nobody writes to what dependencies were built to.
const SHARED_FROM: u64 = 16 * 1024;

/// A copy of the template in which submissions are built, one after the other.
pub struct Pristine {
    /// Removed when this is dropped.
    scratch: Scratch,
    sysroot: PathBuf,
    /// Those that dependencies were built with, `CC` for one: Cargo would build them anew where they differ.
    variables: BTreeMap<String, String>,
    turn: Mutex<()>,
}

impl Pristine {
    /// Makes the template where it is not there yet, and a copy of it. That takes half a minute where the dependencies can be
    /// taken over from this build of the lab, and some minutes otherwise.
    ///
    /// # Errors
    /// When the dependencies cannot be built, or the disk is full.
    pub fn prepare() -> Result<Self> {
        let sysroot = sysroot()?;
        let cache = Cache::open()?;
        let manifest = manifest()?.to_string();
        let lock = fs::read_to_string(workspace().join("Cargo.lock"))?;
        let mut hasher = DefaultHasher::new();
        (&manifest, &lock, &sysroot).hash(&mut hasher);
        let manifests = PROGRAMS
            .iter()
            .map(|program| workspace().join(program).join("Cargo.toml"));
        for file in of_common().into_iter().chain(manifests) {
            fs::read(file).unwrap_or_default().hash(&mut hasher);
        }
        let name = format!("grading-{:016x}", hasher.finish());
        let whole = |folder: &Path| folder.join(COMPLETE).exists();
        let template = cache.complete(&name, whole, |folder| {
            eprintln!("Grading: building what submissions depend on (once) …");
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

    /// Builds the programs of a submission, and puts the executables into `folder`.
    ///
    /// # Errors
    /// When we cannot build, not when a submission does not compile; on Ctrl-C.
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
                wait::check_interrupt()?;
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
        Ok(Submission::from_build(&programs, &built))
    }

    /// Programs that do nothing: one that is not submitted is a member of the workspace all the same.
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
        // What was built of the submission before is none of this one's business.
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

    /// Where not even this can be built, it is not the submission's fault that it could not.
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
            // Not as many at a time as the machine has cores: all together they have the memory of one program.
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
        // Not all of it: Cargo keeps credentials there, too.
        let of_cargo = ["registry", "git", "config.toml", "config"];
        let mut readable: Vec<PathBuf> =
            of_cargo.iter().map(|name| cargo_home.join(name)).collect();
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

/// Could what rustc says be said of any program: because the disk is full, or there is no linker?
fn may_be_ours(error: &str) -> bool {
    ["No space left on device", "linking with", "linker"]
        .iter()
        .any(|words| error.contains(words))
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::home_dir().context("there is no home folder, and no CARGO_HOME")?;
    Ok(home.join(".cargo"))
}

/// Where the compiler really lies: what is called `rustc` may only choose between several.
fn sysroot() -> Result<PathBuf> {
    let mut rustc = Command::new("rustc");
    let output = run(
        rustc.current_dir(workspace()).args(["--print", "sysroot"]),
        Duration::from_secs(30),
    )?;
    if !output.status.success() {
        bail!(
            "`rustc --print sysroot`: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8(output.stdout)?.trim().into())
}

/// The lab's own manifest, with the lab programs as its only members.
fn manifest() -> Result<Table> {
    let mut lab: Table = fs::read_to_string(workspace().join("Cargo.toml"))?.parse()?;
    let members = ["common"]
        .iter()
        .chain(PROGRAMS)
        .map(|name| Value::from(*name));
    let root = lab.get_mut("workspace").and_then(Value::as_table_mut);
    let root = root.context("no [workspace]")?;
    root.insert("members".to_string(), Value::Array(members.collect()));
    // Nobody looks at these executables with a debugger.
    let profile: Table = "dev = { debug = false, incremental = false }".parse()?;
    lab.insert("profile".to_string(), profile.into());
    Ok(lab)
}

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
        fs::create_dir_all(to.parent().context("no folder")?)?;
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
    for flags in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_RUSTFLAGS",
    ] {
        build.env_remove(flags);
    }
    if !run_loud(&mut build, BUILD_LIMIT)?.status.success() {
        bail!("what submissions depend on could not be built; Cargo's messages are above");
    }
    // What is built of the members themselves depends on where they lie.
    let mut clean = cargo("clean");
    clean.current_dir(&copy_of).arg("--target-dir").arg(&target);
    for member in ["common"].iter().chain(PROGRAMS) {
        clean.args(["--package", member]);
    }
    run_loud(clean.arg("--quiet"), BUILD_LIMIT)?;
    let variables = serde_json::to_string(&looked_at(&target)?)?;
    Ok(fs::write(folder.join(COMPLETE), variables)?)
}

/// The variables that build scripts have said they look at, and that are set.
fn looked_at(target: &Path) -> Result<BTreeMap<String, String>> {
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

/// Copies a file, or links a large one where both lie on one disk.
fn share(from: &Path, to: &Path) -> io::Result<()> {
    let shared = from.metadata()?.len() >= SHARED_FROM && fs::hard_link(from, to).is_ok();
    if shared {
        return Ok(());
    }
    fs::copy(from, to).map(drop)
}
