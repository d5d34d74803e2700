//! Ending what we started when we end, however that happens.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use std::os::unix::process::CommandExt;

/// How long something that was started lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// It ends with the process that started it, also when that is killed.
    Owned,
    /// It goes on until someone ends it.
    Kept,
}

/// A small shell beside us that runs a command in a folder of its own and cleans up behind it.
#[derive(Debug)]
pub struct Keeper(Child);

impl Keeper {
    /// Runs `command`; when it has ended, the shell command `after`; then removes `folder`, which exists. While it runs
    /// there are in the folder: `pid`, `server.log` with all that it prints, and in the end `exit`.
    ///
    /// # Errors
    /// When there is no `sh`.
    pub fn start<S: AsRef<OsStr>>(
        lifetime: Lifetime,
        folder: &Path,
        after: &str,
        command: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        let mode = match lifetime {
            Lifetime::Owned => "owned",
            Lifetime::Kept => "kept",
        };
        Command::new("sh")
            .args(["-c", include_str!("../kafka/keep.sh"), "keep.sh", mode])
            .arg(folder)
            .arg(after)
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C in the terminal is for its owner alone.
            .process_group(0)
            .spawn()
            .map(Self)
            .context("`sh` could not be started")
    }

    /// Has the command ended, and is all cleaned up?
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.0.try_wait()?.is_some())
    }

    /// Lets go of an owned command, and waits until all is cleaned up.
    pub fn end(mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
