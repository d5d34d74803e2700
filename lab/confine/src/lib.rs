//! Running code that nobody has read.
//!
//! A confined command runs under a supervisor, which is this very executable started once more. The supervisor
//! - shuts the program in before it starts: files and ports ([`mod@landlock`]), other sockets, identity and
//!   resources;
//! - watches what can't be limited beforehand: processes, memory of all together, the size of its folder, its life;
//! - ends everything that the program has started when the program ends or is killed, or when whoever asked for it dies:
//!   it is their "subreaper", so that also what began a session of its own stays its descendant.
//!
//! An executable that confines commands calls [`supervise_if_asked`] first thing in `main`.

mod identity;
#[cfg(target_os = "linux")]
mod landlock;
#[cfg(not(target_os = "linux"))]
#[path = "no_landlock.rs"]
mod landlock;
mod limits;
#[cfg(target_os = "linux")]
mod sockets;
#[cfg(not(target_os = "linux"))]
#[path = "no_sockets.rs"]
mod sockets;
mod supervisor;

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// The first argument of a process that is a supervisor.
const MARK: &str = "--supervise-a-confined-program";

/// What a program may see of the world. All else is closed to it, but for what the system's libraries need.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Confinement {
    /// Files and folders that it may read, and run.
    pub readable: Vec<PathBuf>,
    /// Folders that it may write to, besides the one that it is started in.
    pub writable: Vec<PathBuf>,
    /// Folders that are its own as well as the one that it is started in, and that are there for the next run, too.
    pub kept: Vec<PathBuf>,
    /// Ports that it may connect to. Those of `BOOTSTRAP_SERVERS` belong to them.
    pub ports: Vec<u16>,
    /// Variables that it gets besides the few that every program needs.
    pub variables: Vec<(String, String)>,
    /// Does it run as somebody who owns nothing else? Only root can see to that.
    pub as_nobody: bool,
}

/// The command that runs this one, confined. Of its environment nothing is left but a path, a language and a home.
///
/// # Errors
/// When this executable cannot be found again.
pub fn confined(command: &Command, confinement: &Confinement) -> Result<Command> {
    let mut wrapped = Command::new(std::env::current_exe()?);
    wrapped
        .arg(MARK)
        .arg(serde_json::to_string(confinement)?)
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .env("LANG", "C.UTF-8");
    for name in ["PATH", "JAVA_HOME"] {
        if let Some(value) = std::env::var_os(name) {
            wrapped.env(name, value);
        }
    }
    wrapped.envs(confinement.variables.iter().cloned());
    Ok(wrapped)
}

/// Supervises a confined program, if this process was started for that; then it does not return.
pub fn supervise_if_asked() {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == MARK) {
        supervisor::supervise(words);
    }
}

/// What cannot be enforced here, a sentence each.
pub fn gaps() -> Vec<&'static str> {
    let mut gaps = landlock::gaps();
    gaps.extend(sockets::gaps());
    gaps.extend(identity::gaps());
    gaps
}
