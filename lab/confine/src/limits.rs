//! How much a confined program may use.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::resource::{Resource, setrlimit};

/// Tasks, that is, processes and threads, of the program's user. A JVM has some forty.
pub const TASKS: u64 = 256;

/// Processes that the program has started and that live.
const PROCESSES: usize = 64;

/// Memory that a process may write to, in bytes.
const DATA: u64 = 2 << 30;

/// Memory of all its processes together, in bytes.
const RESIDENT: u64 = 1 << 30;

/// A file's size, and that of all it may write, in bytes; and how many files.
const FILE: u64 = 64 << 20;
const FOLDER: u64 = 256 << 20;
const FILES: usize = 10_000;

/// Processor time of a process.
const CPU_SECONDS: u64 = 120;

/// From its start on.
const LIFE: Duration = Duration::from_secs(300);

/// Bounds this process, and each that it starts. `tasks` is how many its user may have.
///
/// # Errors
/// When the system refuses.
pub fn bound(tasks: Option<u64>) -> Result<()> {
    for (resource, most) in [
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_CPU, CPU_SECONDS),
        (Resource::RLIMIT_DATA, DATA),
        (Resource::RLIMIT_FSIZE, FILE),
    ] {
        setrlimit(resource, most, most)?;
    }
    if let Some(tasks) = tasks {
        setrlimit(Resource::RLIMIT_NPROC, tasks, tasks)?;
    }
    Ok(())
}

/// What a program and all it has started use at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Use {
    pub processes: usize,
    /// In bytes.
    pub resident: u64,
}

/// Which limit is passed, in words, if one is.
pub fn passed(now: Use, own: &[PathBuf], since: Instant) -> Option<String> {
    if now.processes > PROCESSES {
        return Some(format!("it had more than {PROCESSES} processes"));
    }
    if now.resident > RESIDENT {
        return Some(format!("it used more than {} MB of memory", RESIDENT >> 20));
    }
    if since.elapsed() > LIFE {
        return Some(format!("it ran for more than {} s", LIFE.as_secs()));
    }
    let (mut files, mut bytes) = (0, 0);
    for folder in own {
        measure(folder, &mut files, &mut bytes);
    }
    if bytes > FOLDER || files > FILES {
        return Some(format!(
            "it wrote more than {} MB or {FILES} files",
            FOLDER >> 20
        ));
    }
    None
}

/// Adds up a folder; not farther than to the limits.
fn measure(folder: &Path, files: &mut usize, bytes: &mut u64) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if *files > FILES {
            return;
        }
        *files += 1;
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if metadata.is_dir() {
            measure(&entry.path(), files, bytes);
        } else {
            *bytes += metadata.len();
        }
    }
}
