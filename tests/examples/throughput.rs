//! How many submissions does this machine grade in an hour? Grades a class with so many jobs at a time, and prints a row of a
//! Markdown table for each: by the clock, in processor time, and in memory.
//!
//!     cargo run --package tests --example mixed_class -- FOLDER 16 8
//!     cargo run --package tests --example throughput -- LAB FOLDER JOBS…
//!
//! LAB is the executable of a build, so that two builds can be measured in turn. Nothing else should run meanwhile.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// How often memory is measured.
const PAUSE: Duration = Duration::from_millis(200);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [lab, folder, jobs @ ..] = arguments.as_slice() else {
        anyhow::bail!("usage: throughput LAB FOLDER JOBS…");
    };
    let entries = fs::read_dir(folder).with_context(|| folder.clone())?;
    let mut class: Vec<PathBuf> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    class.sort();
    println!("| jobs | seconds | submissions an hour | CPU-seconds each | memory at the peak |");
    println!("|---|---|---|---|---|");
    for jobs in jobs {
        grade(lab, &class, jobs)?;
    }
    Ok(())
}

fn grade(lab: &str, class: &[PathBuf], jobs: &str) -> Result<()> {
    let out = tempfile::tempdir()?;
    let before = available()?;
    let cpu_before = cpu_of_children()?;
    let start = Instant::now();
    let is_over = AtomicBool::new(false);
    let (status, least) = thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut least = before;
            while !is_over.load(Ordering::Relaxed) {
                least = least.min(available().unwrap_or(before));
                thread::sleep(PAUSE);
            }
            least
        });
        let status = Command::new(lab)
            .args(["grade", "--jobs", jobs, "--out"])
            .arg(out.path())
            .args(class)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        is_over.store(true, Ordering::Relaxed);
        (status, watch.join().unwrap_or(before))
    });
    let seconds = start.elapsed().as_secs_f64();
    // 1 says that something was not judged.
    ensure!(
        status?.success(),
        "the class was not graded; try `{lab} grade` yourself"
    );
    let count = f64::from(u32::try_from(class.len())?);
    println!(
        "| {jobs} | {seconds:.0} | {:.0} | {:.1} | {:.1} GB |",
        count / seconds * 3600.0,
        (cpu_of_children()? - cpu_before) / count,
        (before - least) / 1e9
    );
    Ok(())
}

/// The processor time of all children that have ended, and of theirs, in seconds.
fn cpu_of_children() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let microseconds = usage.user_time() + usage.system_time();
    Ok(Duration::from_micros(microseconds.num_microseconds().unsigned_abs()).as_secs_f64())
}

/// The memory that is available on this machine, in bytes (proc(5), `MemAvailable`).
fn available() -> Result<f64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    let kilobytes: f64 = kilobytes.context("no MemAvailable")?.parse()?;
    Ok(kilobytes * 1024.0)
}
