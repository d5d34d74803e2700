//! Grades a class through Kafka with several workers on this machine, and prints a row of a Markdown table for each number of
//! workers. It starts a Kafka of its own.
//!
//!     cargo run --package tests --example many_workers -- LAB growth EACH WORKERS…
//!     cargo run --package tests --example many_workers -- LAB kills FOLDER WORKERS KILLS [HOST:PORT]
//!
//! LAB is the executable `lab-grading` of a build. `growth` grades EACH submissions for each worker; their programs only sleep,
//! so this machine's processor does not bound it. `kills` grades the class in FOLDER through Kafka, while workers are killed so
//! many times, and the gatherer a quarter as often. It also grades one submission of each kind without Kafka, and compares all
//! verdicts with those. A kind is a name without the number at its end. With an address, it uses your Kafka, which you can then
//! restart meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use broker::{Broker, wait};
use cluster::Kafka;
use judge::Report;
use rand::seq::IndexedRandom;
use serde_json::Value;
use tempfile::TempDir;

/// How long one program of a submission that only waits sleeps.
const SLEEPER: &str = "#!/bin/sh\nsleep 3\nexit 1\n";

/// The time between two looks, and between two kills.
const LOOK: Duration = Duration::from_millis(500);
const BETWEEN_KILLS: Duration = Duration::from_secs(20);

/// The longest wait for a class.
const LIMIT: Duration = Duration::from_secs(6 * 3600);

const USAGE: &str =
    "usage: many_workers LAB growth EACH WORKERS… | LAB kills FOLDER WORKERS KILLS [HOST:PORT]";

fn main() -> Result<()> {
    judge::help_if_asked();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [lab, "growth", each, workers @ ..] => {
            println!("| workers | submissions | seconds | submissions an hour | of linear |");
            println!("|---|---|---|---|---|");
            let mut first = None;
            for workers in workers {
                let workers: usize = workers.parse()?;
                let rate = growth(lab, each.parse()?, workers)?;
                let one = *first.get_or_insert(rate / as_float(workers)?);
                println!(" {:.2} |", rate / as_float(workers)? / one);
            }
            Ok(())
        }
        [lab, "kills", folder, workers, kills, yours @ ..] => {
            let (workers, kills) = (workers.parse()?, kills.parse()?);
            let own = match yours {
                [] => Some(Broker::start()?),
                _ => None,
            };
            let kafka = own
                .as_ref()
                .map(Broker::bootstrap)
                .or(yours.first().copied());
            kills_of(
                lab,
                Path::new(folder),
                workers,
                kills,
                kafka.context(USAGE)?,
            )
        }
        _ => bail!(USAGE),
    }
}

/// Prints most of a row, and returns how many submissions an hour these workers judge, from the first result to the last.
fn growth(lab: &str, each: usize, workers: usize) -> Result<f64> {
    let folder = TempDir::new()?;
    let mut class = Vec::new();
    for number in 0..each * workers {
        let submission = folder.path().join(format!("class/student{number:03}"));
        fs::create_dir_all(&submission)?;
        let program = submission.join("consumer_crash");
        fs::write(&program, SLEEPER)?;
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755))?;
        class.push(submission);
    }
    let broker = Broker::start()?;
    let mut running: Vec<Owned> = (0..workers)
        .map(|_| worker(lab, broker.bootstrap()))
        .collect::<Result<_>>()?;
    let mut gatherer = gatherer(lab, broker.bootstrap(), &folder.path().join("out"), &class)?;
    // All brokers have been started when each worker has judged something.
    let warm = wait_for_done(&broker, &mut gatherer, workers)?;
    let start = Instant::now();
    let all = wait_for_done(&broker, &mut gatherer, class.len())?;
    let seconds = start.elapsed().as_secs_f64();
    gatherer.wait()?;
    running.clear();
    let rate = as_float(all - warm)? / seconds * 3600.0;
    print!("| {workers} | {all} | {seconds:.0} | {rate:.0} |");
    Ok(rate)
}

/// Waits until at least so many submissions are done, and returns how many are.
fn wait_for_done(broker: &Broker, gatherer: &mut Owned, count: usize) -> Result<usize> {
    let kafka = Kafka::at(broker.bootstrap());
    let end = Instant::now() + LIMIT;
    while Instant::now() < end {
        let done = done(&kafka)?;
        if done >= count {
            return Ok(done);
        }
        if let Some(status) = gatherer.0.try_wait()? {
            ensure!(status.success(), "the class was not graded: {status}");
        }
        thread::sleep(LOOK);
    }
    bail!("not done after {} s", LIMIT.as_secs())
}

/// How many submissions are done: each counts once.
fn done(kafka: &Kafka) -> Result<usize> {
    if kafka.partitions("lab-results")?.is_none() {
        return Ok(0);
    }
    let records = kafka.records("lab-results")?;
    let notes = records.iter().filter(|record| record.partition == 0);
    let notes = notes.filter_map(|record| serde_json::from_str::<Value>(&record.value()).ok());
    let done = notes.filter(|note| note["what"].get("done").is_some());
    let names = done.map(|note| note["job"]["submission"].to_string());
    Ok(names.collect::<BTreeSet<_>>().len())
}

fn kills_of(lab: &str, folder: &Path, workers: usize, kills: usize, kafka: &str) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut class: Vec<PathBuf> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    class.sort();
    let results = TempDir::new()?;
    let (alone, through) = (results.path().join("alone"), results.path().join("through"));
    let start = Instant::now();
    let jobs = workers.to_string();
    let of_kinds: BTreeMap<String, &PathBuf> =
        class.iter().map(|path| (kind(path), path)).collect();
    let mut grade = Command::new(lab);
    grade.args(["grade", "--jobs", &jobs, "--out"]);
    Owned::start(grade.arg(&alone).args(of_kinds.values()))?.wait()?;
    println!(
        "{} kinds alone, {jobs} jobs: {:.0} s",
        of_kinds.len(),
        start.elapsed().as_secs_f64()
    );

    let start = Instant::now();
    let mut running: Vec<Owned> = (0..workers)
        .map(|_| worker(lab, kafka))
        .collect::<Result<_>>()?;
    let mut gathering = gatherer(lab, kafka, &through, &class)?;
    let mut killed = 0;
    let mut last = Instant::now();
    loop {
        if gathering.0.try_wait()?.is_some() {
            gathering.wait()?;
            break;
        }
        if killed < kills && last.elapsed() > BETWEEN_KILLS {
            killed += 1;
            last = Instant::now();
            let places: Vec<usize> = (0..workers).collect();
            let place = *places.choose(&mut rand::rng()).context("no workers")?;
            running[place] = worker(lab, kafka)?;
            if killed % 4 == 0 {
                drop(gathering);
                gathering = gatherer(lab, kafka, &through, &class)?;
            }
        }
        thread::sleep(LOOK);
    }
    println!(
        "through Kafka, {workers} workers, {killed} kills: {:.0} s",
        start.elapsed().as_secs_f64()
    );
    let (alone, through) = (verdicts(&alone)?, verdicts(&through)?);
    let of_kinds: BTreeMap<String, &Vec<String>> = alone
        .iter()
        .map(|(name, verdicts)| (kind(Path::new(name)), verdicts))
        .collect();
    let mut differing = 0;
    for (name, verdicts) in &through {
        let of_kind = of_kinds.get(&kind(Path::new(name)));
        if of_kind != Some(&verdicts) {
            differing += 1;
            println!("{name}: {verdicts:?}, but alone {of_kind:?}");
        }
    }
    println!(
        "{} submissions, {} results through Kafka, {differing} with other verdicts than their kind alone",
        class.len(),
        through.len()
    );
    Ok(())
}

/// The name of a submission without the number at its end.
fn kind(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let kind = name.rsplit_once('-').map(|(kind, _)| kind.to_string());
    kind.unwrap_or(name.into_owned())
}

/// The verdicts of each submission.
fn verdicts(out: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(out)? {
        let path = entry?.path();
        let Ok(report) = fs::read(path.join("report.json")) else {
            continue;
        };
        let report: Report = serde_json::from_slice(&report)?;
        let rows = report.checks.iter();
        let verdicts = rows.map(|row| format!("{} {:?}", row.id, row.outcome));
        all.insert(report.submission.clone(), verdicts.collect());
    }
    Ok(all)
}

fn worker(lab: &str, kafka: &str) -> Result<Owned> {
    let mut command = Command::new(lab);
    Owned::start(command.args(["worker", "--jobs", "1", "--through", kafka]))
}

fn gatherer(lab: &str, kafka: &str, out: &Path, class: &[PathBuf]) -> Result<Owned> {
    let mut command = Command::new(lab);
    command.args(["grade", "--through", kafka, "--out"]);
    Owned::start(command.arg(out).args(class))
}

/// A process that is killed (`kill -9`) when this is dropped.
struct Owned(Child);

impl Owned {
    fn start(command: &mut Command) -> Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(Self(command.spawn()?))
    }

    /// Waits for its end. 3 says that something was not judged.
    fn wait(&mut self) -> Result<()> {
        let status = self.0.wait()?;
        ensure!(status.success() || status.code() == Some(3), "{status}");
        Ok(())
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn as_float(count: usize) -> Result<f64> {
    wait::check_interrupt()?;
    Ok(f64::from(u32::try_from(count)?))
}
