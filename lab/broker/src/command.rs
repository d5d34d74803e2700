//! Finds a helper command, runs it, and waits until it ends.

use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::wait;

/// The first file with this name in the folders of `PATH`.
pub fn find_on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(name));
    files.find(|file| file.is_file())
}

/// Runs `command` until it ends, and returns its status and what it printed.
///
/// The command gets a process group of its own, so Ctrl-C in the terminal does not reach it. On Ctrl-C, or if the command
/// takes longer than `limit`, we kill the whole group.
///
/// # Errors
/// If the command cannot be started, if it takes longer than `limit`, or on Ctrl-C. It is not an error if the command's status
/// is not 0.
pub fn run(command: &mut Command, limit: Duration) -> Result<Output> {
    let mut err = tempfile::tempfile()?;
    let mut output = run_loud(command.stderr(err.try_clone()?), limit)?;
    err.rewind()?;
    err.read_to_end(&mut output.stderr)?;
    Ok(output)
}

/// Runs `command` like [`run`], but lets it print its progress and its messages to our standard error.
///
/// # Errors
/// If the command cannot be started, if it takes longer than `limit`, or on Ctrl-C. It is not an error if the command's status
/// is not 0.
pub fn run_loud(command: &mut Command, limit: Duration) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    // This is a file and not a pipe. Nobody reads while the command runs, and a full pipe would stop it.
    let mut out = tempfile::tempfile()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .process_group(0)
        .spawn()
        .with_context(|| format!("`{name}` could not be started"))?;
    let group = Pid::from_raw(child.id().cast_signed());
    let ended = wait::until(&format!("`{name}` to end"), limit, || Ok(child.try_wait()?));
    if ended.is_err() {
        let _ = killpg(group, Signal::SIGKILL);
        let _ = child.wait();
    }
    let status = ended?;
    let mut output = Output {
        status,
        stdout: Vec::new(),
        stderr: Vec::new(),
    };
    out.rewind()?;
    out.read_to_end(&mut output.stdout)?;
    Ok(output)
}

/// The last lines of what a command printed, without empty ones. For error messages.
pub fn last_lines(text: &[u8], lines: usize) -> String {
    let text = String::from_utf8_lossy(text);
    let all: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
