//! Commands that are executables of their own. Students rarely need them, so they are built only when somebody uses them. That
//! makes the first build of `cargo lab` faster.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use judge::programs::{cargo, workspace};
use terminal::Usage;

/// An executable, and the package in `lab/` that it is built from.
#[derive(Clone, Copy)]
pub struct Extra {
    package: &'static str,
    executable: &'static str,
}

/// The executable of `cargo lab watch`.
pub const WATCH: Extra = Extra {
    package: "watch",
    executable: "lab-watch",
};

/// The executable of `cargo lab bench`.
pub const BENCH: Extra = Extra {
    package: "bench",
    executable: "lab-bench",
};

/// The executable of `cargo lab grade`, `worker`, `review`, `export` and `package`.
pub const GRADING: Extra = Extra {
    package: "grading",
    executable: "lab-grading",
};

/// Builds the executable if it is not up to date, and replaces this process by it: then it gets Ctrl-C and other signals
/// itself, and its exit status is the command's.
///
/// # Errors
/// [`Usage`], if this workspace does not contain the package; or when Cargo cannot be started.
pub fn become_extra(extra: Extra, words: impl IntoIterator<Item = OsString>) -> Result<ExitCode> {
    let Extra {
        package,
        executable,
    } = extra;
    let manifest = workspace().join("lab").join(package).join("Cargo.toml");
    if !manifest.exists() {
        bail!(Usage(format!(
            "this command is for instructors: it needs lab/{package}, which this workspace for students does not contain. Use \
             the repository that the workspace was exported from"
        )));
    }
    let mut run = cargo("run");
    // Paths on the command line are relative to the folder that the user is in.
    run.current_dir(std::env::current_dir()?)
        .arg("--manifest-path")
        .arg(workspace().join("Cargo.toml"))
        .args(["--package", package, "--bin", executable]);
    let was_built =
        std::env::current_exe().is_ok_and(|lab| lab.with_file_name(executable).exists());
    if was_built {
        run.arg("--quiet");
    }
    let error = run.arg("--").args(words).exec();
    Err(error).context("Cargo could not be started")
}
