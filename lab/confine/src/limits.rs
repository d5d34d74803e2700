//! How much a confined program may use.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::resource::{Resource, setrlimit};

/// How many tasks (processes and threads) the program's user may have. A JVM has about forty.
pub const TASKS: u64 = 256;

/// How many processes of the program may be alive at the same time.
const PROCESSES: usize = 64;

/// How much writable memory a process may have, in bytes.
const DATA: u64 = 2 << 30;

/// How much memory all its processes together may use, in bytes.
const RESIDENT: u64 = 1 << 30;

/// The size of one file, in bytes.
const FILE: u64 = 64 << 20;

/// The size of all files in the program's folders together, and of its files without a name, in bytes.
const ALL_FILES: u64 = 256 << 20;

/// How many files there may be in the program's folders.
const FILES: usize = 10_000;

/// The processor time of one process, in seconds.
const CPU_SECONDS: u64 = 120;

/// How long the program may run.
const LIFE: Duration = Duration::from_secs(300);

/// Limits the resources of this process and of every process that it starts. `tasks` is how many tasks its user may have.
///
/// # Errors
/// If the system refuses.
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

/// What a program and all processes that it started use at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Use {
    pub processes: usize,
    /// Memory, in bytes.
    pub resident: u64,
    /// The size of all files that they have open and that have no name any more, in bytes. No folder shows these files, but they
    /// take as much disk or memory as others.
    pub nameless: u64,
}

/// Says which limit is exceeded, if one is. `own` are the program's folders, and it started at `since`.
pub fn exceeded(now: Use, own: &[PathBuf], since: Instant) -> Option<String> {
    if now.processes > PROCESSES {
        return Some(format!("it had more than {PROCESSES} processes"));
    }
    if now.resident > RESIDENT {
        return Some(format!("it used more than {} MB of memory", RESIDENT >> 20));
    }
    if since.elapsed() > LIFE {
        return Some(format!("it ran for more than {} s", LIFE.as_secs()));
    }
    let (mut files, mut bytes) = (0, now.nameless);
    for folder in own {
        measure(folder, &mut files, &mut bytes);
    }
    if bytes > ALL_FILES || files > FILES {
        return Some(format!(
            "it wrote more than {} MB or {FILES} files",
            ALL_FILES >> 20
        ));
    }
    None
}

/// Adds the files of a folder to the totals. Stops once there are too many files.
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
