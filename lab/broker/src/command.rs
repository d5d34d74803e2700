//! Running a helper command to its end.

use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::wait;

/// Runs `command` to its end and returns its status and what it printed. It gets a process group of its own, so that
/// Ctrl-C reaches it only through us; on Ctrl-C and at the `limit` the whole group is killed.
///
/// # Errors
/// When it cannot be started, takes longer than `limit`, or on Ctrl-C. A status other than 0 is no error here.
pub fn run(command: &mut Command, limit: Duration) -> Result<Output> {
    let mut err = tempfile::tempfile()?;
    let mut output = run_loud(command.stderr(err.try_clone()?), limit)?;
    err.rewind()?;
    err.read_to_end(&mut output.stderr)?;
    Ok(output)
}

/// As [`run`], but leaves standard error to the command, for its progress and its messages.
///
/// # Errors
/// As there.
pub fn run_loud(command: &mut Command, limit: Duration) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    // A file, not a pipe: a full pipe would stop the command while nobody reads.
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

/// The last lines of what a command printed, for an error message.
pub fn last_lines(text: &[u8], lines: usize) -> String {
    let text = String::from_utf8_lossy(text);
    let all: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
