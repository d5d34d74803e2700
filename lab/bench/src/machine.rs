//! The machine on which something is measured, in words.

use std::fs;
use std::thread::available_parallelism;

/// The processor's name, if the system says it in `/proc`, and the number of cores.
pub fn machine() -> String {
    let cores = available_parallelism().map_or(1, usize::from);
    let (system, kind) = (std::env::consts::OS, std::env::consts::ARCH);
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = about.lines().find(|line| line.starts_with("model name"));
    match named.and_then(|line| line.split_once(": ")) {
        Some((_, name)) => format!("{name}, {cores} cores, {system}, {kind}"),
        None => format!("{cores} cores, {system}, {kind}"),
    }
}
