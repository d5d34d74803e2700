//! Runs code that nobody has reviewed.
//!
//! A confined command runs under a supervisor, which is a second process of the same executable. The supervisor does three
//! things:
//! - Before the program starts, it restricts the program's files and ports ([`mod@landlock`]), its other sockets
//!   ([`sockets`]), its user ([`identity`]) and its resources ([`limits`]).
//! - While the program runs, it watches what cannot be restricted in advance: the number of processes, the memory of all of
//!   them together, the size of the program's folders, and the running time.
//! - In the end, it kills everything that the program started. The end is when the program ends or is killed, or when the
//!   process that asked for it ends. The supervisor is a "subreaper": even a process in a session of its own stays its
//!   descendant.
//!
//! What a program leaves behind can be read by a [`helper`], which is another process of the same executable.
//!
//! An executable that confines commands must call [`supervise_if_asked`] at the beginning of `main`.

pub mod helper;
mod identity;
#[cfg(target_os = "linux")]
mod landlock;
#[cfg(not(target_os = "linux"))]
#[path = "no_landlock.rs"]
mod landlock;
mod limits;
mod obstacles;
#[cfg(target_os = "linux")]
mod sockets;
#[cfg(not(target_os = "linux"))]
#[path = "no_sockets.rs"]
mod sockets;
mod spawn;
mod supervisor;

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::Result;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, geteuid, getpgid};
use serde::{Deserialize, Serialize};

pub use obstacles::READABLE;
pub use spawn::spawn;

/// The signal that ends a supervisor that could not start its program. A program cannot feign this: if the signal ends the
/// program, its supervisor exits with a status. It cannot send a signal to its supervisor either.
const NOT_STARTED: Signal = Signal::SIGUSR2;

/// The first argument of a supervisor process.
const MARK: &str = "--supervise-a-confined-program";

/// The language of every program that is judged, in the variable `LANG`. A number has a point in it, not a comma.
pub const LANGUAGE: &str = "C.UTF-8";

/// What a program may use. It can use nothing else, except the files that the system's libraries need.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Confinement {
    /// Files and folders that it may read and execute.
    pub readable: Vec<PathBuf>,
    /// Folders that it may write to, in addition to the folder that it is started in.
    pub writable: Vec<PathBuf>,
    /// More folders of its own, in addition to the folder that it is started in. Unlike that one, they stay for the next run.
    pub kept: Vec<PathBuf>,
    /// Ports that it may connect to, in addition to those in `BOOTSTRAP_SERVERS`.
    pub ports: Vec<u16>,
    /// Environment variables that it gets, in addition to the few that every program needs.
    pub variables: Vec<(String, String)>,
    /// Whether it runs as a user that owns nothing but the program's folders. This has an effect only if we are root.
    pub as_nobody: bool,
}

/// Returns the command that runs `command` confined. The program gets a new environment: `PATH`, `JAVA_HOME`, `LANG`, the
/// variables of `confinement`, and those that point to its folder.
///
/// # Errors
/// If the path of this executable is unknown.
pub fn confined(command: &Command, confinement: &Confinement) -> Result<Command> {
    let mut wrapped = Command::new(own_executable()?);
    wrapped
        .arg(MARK)
        .arg(serde_json::to_string(confinement)?)
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .env("LANG", LANGUAGE);
    for name in ["PATH", "JAVA_HOME"] {
        if let Some(value) = std::env::var_os(name) {
            wrapped.env(name, value);
        }
    }
    wrapped.envs(confinement.variables.iter().cloned());
    Ok(wrapped)
}

/// Whether this command is one that [`confined`] has made.
pub fn is_confined(command: &Command) -> bool {
    command.get_args().next().is_some_and(|word| word == MARK)
}

/// Whether a supervisor, which must have been started as the leader of a process group, has started its program.
pub fn has_started(supervisor: Pid) -> bool {
    // It leaves its group to the program.
    getpgid(Some(supervisor)) != Ok(supervisor)
}

/// Whether a supervisor has ended in this way because its program could not be started. It is not the program's fault; the
/// supervisor has said why on standard error.
pub fn could_not_start(status: ExitStatus) -> bool {
    status.signal() == Some(NOT_STARTED as i32)
}

/// Whether programs run as a user who can enter a folder only if everybody can.
pub fn are_outsiders() -> bool {
    geteuid().is_root() && !landlock::is_available()
}

/// A path that leads to the executable of this process. On Linux, it does so even when a build has replaced the file.
///
/// # Errors
/// If the system does not say where the executable is.
pub fn own_executable() -> std::io::Result<PathBuf> {
    let own = Path::new("/proc/self/exe");
    if own.exists() {
        Ok(own.to_path_buf())
    } else {
        std::env::current_exe()
    }
}

/// If this process was started as a supervisor, runs the confined program and does not return.
pub fn supervise_if_asked() {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == MARK) {
        supervisor::supervise(words);
    }
}

/// The restrictions that this system cannot enforce, one sentence each.
pub fn gaps() -> Vec<&'static str> {
    let mut gaps = landlock::gaps();
    gaps.extend(sockets::gaps());
    gaps.extend(identity::gaps());
    gaps
}
