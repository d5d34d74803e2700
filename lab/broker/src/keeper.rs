//! Ends what we have started when we end, even if we are killed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::{Cache, wait};

/// The file, in the keeper's folder, with the keeper's process id.
pub const PID_OF_KEEPER: &str = "keeper";

/// The file, in the keeper's folder, with everything that the command prints.
pub const LOG: &str = "server.log";

/// The lock that we hold while we fill a folder and start its keeper.
pub const STARTING: &str = "starting";

/// How long a keeper may take to start.
const KEEPER_LIMIT: Duration = Duration::from_secs(60);

/// How long a process that we start lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// It ends with the process that started it, even if that process is killed.
    Owned,
    /// It runs until it is ended.
    Kept,
}

/// A small shell script, in a process beside us. It runs a command in a folder of its own, and cleans up when the command has
/// ended.
#[derive(Debug)]
pub struct Keeper {
    shell: Child,
    /// What the command prints. We keep this file open, because the keeper removes it when the command has ended.
    printed: File,
    /// The command's folder, until the keeper removes it. It contains `pid` with the command's process id, `server.log` with
    /// what the command prints, and `exit` with its exit status once it has ended.
    pub folder: PathBuf,
}

/// The folder that a keeper works in.
#[derive(Clone, Copy, Debug)]
pub enum Folder<'a> {
    /// The folder with this name. Only one keeper at a time can use it.
    Named(&'a str),
    /// A folder with a new name.
    Fresh,
}

impl Keeper {
    /// Makes a folder and starts a command in it. `prepare` fills the folder and returns the command. When the command has
    /// ended, the keeper runs the shell command `after`, in which `$folder` is the folder, and removes the folder.
    ///
    /// # Errors
    /// If `prepare` fails, if the named folder is in use, or if there is no `sh`. Then no new folder is left.
    pub fn start(
        cache: &Cache,
        lifetime: Lifetime,
        folder: Folder<'_>,
        after: &str,
        prepare: impl FnOnce(&Path) -> Result<Vec<OsString>>,
    ) -> Result<Self> {
        // Other processes remove folders without a keeper, but not while we hold this lock. So ours is safe until it has one.
        let _guard = cache.lock(STARTING)?;
        let folder = match folder {
            Folder::Fresh => tempfile::Builder::new()
                .prefix("private-")
                .tempdir_in(cache.run())?
                .keep(),
            Folder::Named(name) => {
                let folder = cache.run().join(name);
                fs::create_dir(&folder).with_context(|| {
                    format!(
                        "the folder {} cannot be made. If a Kafka is running there, stop it with `cargo lab down`",
                        folder.display()
                    )
                })?;
                folder
            }
        };
        let started =
            prepare(&folder).and_then(|command| Self::spawn(lifetime, &folder, after, &command));
        if started.is_err() {
            let _ = fs::remove_dir_all(&folder);
        }
        started.with_context(|| format!("could not start anything in {}", folder.display()))
    }

    fn spawn(lifetime: Lifetime, folder: &Path, after: &str, command: &[OsString]) -> Result<Self> {
        let mode = match lifetime {
            Lifetime::Owned => "owned",
            Lifetime::Kept => "kept",
        };
        let log = folder.join(LOG);
        File::create(&log)?;
        let printed = File::open(&log)?;
        let mut shell = Command::new("sh")
            .args(["-c", include_str!("../kafka/keep.sh"), "keep.sh", mode])
            .arg(folder)
            .arg(after)
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C in the terminal must reach only us, not the keeper.
            .process_group(0)
            .spawn()
            .context("`sh` could not be started")?;
        let keeper = folder.join(PID_OF_KEEPER);
        let started = wait::until("the keeper to start", KEEPER_LIMIT, || {
            Ok((keeper.exists() || shell.try_wait()?.is_some()).then_some(()))
        });
        if started.is_err() {
            let _ = killpg(Pid::from_raw(shell.id().cast_signed()), Signal::SIGKILL);
            let _ = shell.wait();
        }
        started?;
        Ok(Self {
            shell,
            printed,
            folder: folder.to_path_buf(),
        })
    }

    /// Whether the command has ended and the keeper has cleaned up.
    ///
    /// # Errors
    /// If the system does not say whether the keeper is running.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.shell.try_wait()?.is_some())
    }

    /// Everything that the command has printed so far. This works even when the folder has been removed.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn printed(&mut self) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        self.printed.rewind()?;
        self.printed.read_to_end(&mut text)?;
        Ok(text)
    }

    /// Makes the keeper end an owned command, and waits until the keeper has cleaned up.
    pub fn end(mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
