//! Do verdicts depend on luck? Judges the solutions and the programs of the bank many times, on a quiet machine or on one that
//! other processes keep busy, and counts by check how many verdicts were not what they must be.
//!
//!     cargo run --package tests --example stability -- ROUNDS SPINNERS JOBS [WORDS]
//!
//! ROUNDS is how many times each program is judged, SPINNERS how many processes do nothing but use the processor, and JOBS how
//! many programs are judged at a time. With WORDS, only programs are judged whose name contains one of them; `solutions` are all
//! solutions together.

use std::collections::BTreeMap;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bank::{Entry, bank};
use judge::programs::{PROGRAMS, Version, build};
use judge::{Judged, Outcome, Pool, Submission, TASKS, Task, judge};
use parking_lot::Mutex;

const USAGE: &str = "usage: stability ROUNDS SPINNERS JOBS [WORDS] (three numbers, and words)";

/// A process that does nothing but use the processor, until it is dropped.
struct Spinner(Child);

impl Spinner {
    fn start() -> Result<Self> {
        let child = Command::new("sh")
            .args(["-c", "while kill -0 $PPID 2>/dev/null; do :; done"])
            .spawn()?;
        Ok(Self(child))
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is judged again and again, and the ids of the checks that it must fail.
struct Program {
    name: String,
    submission: Submission,
    tasks: Vec<&'static Task>,
    must_fail: Vec<&'static str>,
}

impl Program {
    fn solutions() -> Result<Self> {
        Ok(Self {
            name: "solutions".to_string(),
            submission: Submission::of(build(PROGRAMS, Version::Solution)?),
            tasks: TASKS.iter().collect(),
            must_fail: Vec::new(),
        })
    }

    fn of(entry: &Entry) -> Result<Self> {
        Ok(Self {
            name: format!("{}::{}", entry.of, entry.name),
            submission: entry.build()?,
            tasks: vec![entry.task()],
            must_fail: entry.must_fail()?,
        })
    }

    fn is_right(&self, row: &Judged) -> bool {
        let expected = if self.must_fail.contains(&row.id.as_str()) {
            Outcome::Failed
        } else {
            Outcome::Passed
        };
        row.outcome == expected
    }
}

/// What came out.
#[derive(Default)]
struct Count {
    /// How many verdicts were wrong, by check.
    wrong: BTreeMap<String, usize>,
    verdicts: usize,
    /// How long each program was judged.
    seconds: Vec<f64>,
}

impl Count {
    fn add(&mut self, program: &Program, judged: &[Judged], took: Duration) {
        self.seconds.push(took.as_secs_f64());
        self.verdicts += judged.len();
        // It takes hours. If it is stopped, this is what was seen.
        eprintln!("{} verdicts so far; last: {}", self.verdicts, program.name);
        for row in judged.iter().filter(|row| !program.is_right(row)) {
            *self.wrong.entry(row.id.clone()).or_default() += 1;
            println!(
                "{}: {} is {:?}: expected {}; saw {}\n{}",
                program.name,
                row.id,
                row.outcome,
                row.expected,
                row.saw,
                judge::timeline(&row.seen)
            );
        }
    }
}

fn main() -> Result<()> {
    judge::help_if_asked();
    let mut words = std::env::args().skip(1);
    let mut number = || words.next().context(USAGE)?.parse().context(USAGE);
    let (rounds, spinners, jobs): (usize, usize, usize) = (number()?, number()?, number()?);
    let words: Vec<String> = words.collect();
    let is_wanted =
        |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));

    let mut programs = Vec::new();
    if is_wanted("solutions") {
        programs.push(Program::solutions()?);
    }
    for entry in bank()?.iter().filter(|entry| is_wanted(&entry.name)) {
        programs.push(Program::of(entry)?);
    }

    let pool = Pool::default();
    let _busy: Vec<Spinner> = (0..spinners)
        .map(|_| Spinner::start())
        .collect::<Result<_>>()?;
    let count = Mutex::new(Count::default());
    let queue = Mutex::new((0..rounds).flat_map(|_| &programs));
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let Some(program) = queue.lock().next() else {
                        break;
                    };
                    let start = Instant::now();
                    let judged = judge(&pool, &program.submission, &program.tasks, |_| {});
                    count.lock().add(program, &judged, start.elapsed());
                }
            });
        }
    });
    let Count {
        wrong,
        verdicts,
        mut seconds,
    } = count.into_inner();
    pool.clear();
    for (id, count) in &wrong {
        println!("{id}: {count} wrong verdicts");
    }
    seconds.sort_by(f64::total_cmp);
    println!(
        "{} of {verdicts} verdicts were wrong, with {} programs, {rounds} rounds and {spinners} spinners; judging one took \
         {:.1}/{:.1}/{:.1} s (min/median/max)",
        wrong.values().sum::<usize>(),
        programs.len(),
        seconds.first().unwrap_or(&0.0),
        seconds.get(seconds.len() / 2).unwrap_or(&0.0),
        seconds.last().unwrap_or(&0.0)
    );
    Ok(())
}
