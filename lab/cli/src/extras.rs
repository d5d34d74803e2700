//! Commands that are executables of their own. Most students never need them, so they are built when somebody first does,
//! and `cargo lab up` is ready sooner.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use judge::programs::{cargo, workspace};
use terminal::Usage;

/// An executable, and the crate in `lab/` that it is built from.
#[derive(Clone, Copy)]
pub struct Extra {
    package: &'static str,
    executable: &'static str,
}

/// `cargo lab watch`.
pub const WATCH: Extra = Extra {
    package: "watch",
    executable: "lab-watch",
};

/// `cargo lab grade`, `review`, `export` and `package`.
pub const GRADING: Extra = Extra {
    package: "grading",
    executable: "lab-grading",
};

/// Builds the executable if it is not up to date, and lets it take the place of this process: Ctrl-C, kill and the exit
/// status are its own.
///
/// # Errors
/// [`Usage`], if this workspace does not have the crate; or when Cargo cannot be started.
pub fn become_extra(extra: Extra, words: impl IntoIterator<Item = OsString>) -> Result<ExitCode> {
    let Extra {
        package,
        executable,
    } = extra;
    let manifest = workspace().join("lab").join(package).join("Cargo.toml");
    if !manifest.exists() {
        bail!(Usage(format!(
            "this workspace was made for students and has no lab/{package}; use the repository that it was exported from"
        )));
    }
    let mut run = cargo("run");
    // Paths among the words are relative to the folder that the user is in.
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
