//! How many threads of this machine have something to do at a time, whether they have a core or wait for one.
//!
//! If there are many for each core, everything is late: programs miss limits of their time, and we miss moments of theirs.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use broker::wait::check_stop;

/// So many for each core are enough to keep it busy.
const ENOUGH: usize = 4;

/// How long it is looked at, and how many times. From one moment to the next, it changes a lot.
const LOOKED_AT: Duration = Duration::from_millis(100);
const LOOKS: u32 = 15;

/// Whether there are so many threads that another lane would only slow down the others. This takes a moment. `false` on systems that
/// do not tell.
///
/// # Errors
/// On Ctrl-C.
pub fn is_long() -> Result<bool> {
    let mut threads = 0;
    for _ in 0..LOOKS {
        check_stop()?;
        let Some(now) = threads_now() else {
            return Ok(false);
        };
        threads += now;
        sleep(LOOKED_AT / LOOKS);
    }
    Ok(threads > cores() * ENOUGH * LOOKS as usize)
}

#[cfg(target_os = "linux")]
fn threads_now() -> Option<usize> {
    use procfs::{Current, LoadAverage};
    let load = LoadAverage::current().ok()?;
    usize::try_from(load.cur).ok()
}

/// The cores that these threads share. In a container, both numbers are usually those of the whole machine.
#[cfg(target_os = "linux")]
pub fn cores() -> usize {
    use procfs::{CpuInfo, Current};
    CpuInfo::current().map_or(1, |all| all.num_cores().max(1))
}

#[cfg(not(target_os = "linux"))]
fn threads_now() -> Option<usize> {
    None
}

#[cfg(not(target_os = "linux"))]
pub fn cores() -> usize {
    1
}
