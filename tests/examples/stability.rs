//! Do verdicts depend on luck? Judges the solutions many times, one at a time or several at a time with all cores busy.
//! Prints each verdict that was not "passed", and how long a submission took.
//!
//!     cargo run --package tests --example stability -- ROUNDS AT_A_TIME

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};
use judge::programs::{PROGRAMS, Version, build};
use judge::{Pool, Submission, TASKS, Task, judge};
use parking_lot::Mutex;

const USAGE: &str = "usage: stability ROUNDS AT_A_TIME (two numbers)";

fn main() -> Result<()> {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<usize>());
    let mut number = || numbers.next().context(USAGE)?.context(USAGE);
    let rounds = number()?;
    let at_a_time = number()?;

    let solutions = Submission::of(build(PROGRAMS, Version::Solution)?);
    let tasks: Vec<&Task> = TASKS.iter().collect();
    let pool = Pool::default();
    let (rows, seconds) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        if at_a_time > 1 {
            for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        black_box((0..10_000_u64).sum::<u64>());
                    }
                });
            }
        }
        for _ in 0..rounds {
            thread::scope(|scope| {
                for _ in 0..at_a_time {
                    scope.spawn(|| {
                        let start = Instant::now();
                        let judged = judge(&pool, &solutions, &tasks, |_| {});
                        seconds.lock().push(start.elapsed().as_secs_f64());
                        rows.lock().extend(judged);
                    });
                }
            });
        }
        done.store(true, Ordering::Relaxed);
    });
    let (rows, mut seconds) = (rows.lock(), seconds.lock());
    for row in rows.iter().filter(|row| !row.passed()) {
        println!(
            "{} {:?}: expected {}; saw {}",
            row.id, row.outcome, row.expected, row.saw
        );
        println!("{}", judge::timeline(&row.seen));
    }
    let differed = rows.iter().filter(|row| !row.passed()).count();
    seconds.sort_by(f64::total_cmp);
    println!(
        "{differed} of {} verdicts were not \"passed\"; a submission took {:.1}/{:.1}/{:.1} s (min/median/max)",
        rows.len(),
        seconds[0],
        seconds[seconds.len() / 2],
        seconds[seconds.len() - 1]
    );
    Ok(())
}
