//! Ending what we started when we end, however that happens.

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

/// The file in which a keeper leaves its process id.
pub const PID_OF_KEEPER: &str = "keeper";

/// The file in its folder that holds what a command prints.
pub const LOG: &str = "server.log";

/// The lock that is held while a folder is filled and its keeper started.
pub const STARTING: &str = "starting";

const KEEPER_LIMIT: Duration = Duration::from_secs(60);

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
pub struct Keeper {
    shell: Child,
    /// What the command prints. It is open, for the keeper removes it when the command has ended.
    printed: File,
    /// In it, while the command runs: `pid`, `server.log` with all that it prints, and in the end `exit`.
    pub folder: PathBuf,
}

/// One folder that a keeper works in.
#[derive(Clone, Copy, Debug)]
pub enum Folder<'a> {
    /// Of this name: there can be only one.
    Named(&'a str),
    /// Of a name that nobody else has.
    Fresh,
}

impl Keeper {
    /// Makes a folder; `prepare` fills it and says what to run there. When that command has ended, the keeper runs the
    /// shell command `after`, and removes the folder.
    ///
    /// # Errors
    /// When `prepare` fails, the named folder is in use, or there is no `sh`. No folder is left then.
    pub fn start(
        cache: &Cache,
        lifetime: Lifetime,
        folder: Folder<'_>,
        after: &str,
        prepare: impl FnOnce(&Path) -> Result<Vec<OsString>>,
    ) -> Result<Self> {
        // While we hold this, a folder without a keeper is one that we are filling.
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
                        "{} is in the way; `cargo lab down` ends what runs there",
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
        started.with_context(|| format!("nothing could be started in {}", folder.display()))
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
            // Ctrl-C in the terminal is for its owner alone.
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

    /// Has the command ended, and is all cleaned up?
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.shell.try_wait()?.is_some())
    }

    /// All that the command has printed so far; also when it has ended, and its folder is gone.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn printed(&mut self) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        self.printed.rewind()?;
        self.printed.read_to_end(&mut text)?;
        Ok(text)
    }

    /// Lets go of an owned command, and waits until all is cleaned up.
    pub fn end(mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
