//! Every program of the bank fails the checks that it must fail, and passes every other check of its task.
//!
//! Wrong programs take an hour of waiting together, so only `--include-ignored` judges all of them whole. Without it, each
//! check judges one program that it must fail, and right programs are judged whole.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use bank::{Entry, bank};
use judge::programs::{Version, workspace};
use judge::{Check, Judged, Lane, Outcome, Submission, TASKS, Task, Verdict, all_checks};
use libtest_mimic::Trial;

use crate::{POOL, programs, trial};

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("bank::solutions_get_100", || {
            let solutions = Submission::of(programs(Version::Solution)?);
            let tasks: Vec<&Task> = TASKS.iter().collect();
            expect(&judge(&solutions, &tasks), &[])
        }),
        trial("bank::a_missing_program_is_not_submitted", || {
            let nothing = Submission::of(BTreeMap::new());
            let judged = judge(&nothing, &[&TASKS[3]]);
            ensure!(
                judged
                    .iter()
                    .all(|row| row.outcome == Outcome::Failed && row.saw.contains("not submitted"))
            );
            Ok(())
        }),
        trial("bank::points_make_100_and_25_for_each_task_beyond", || {
            let usual = TASKS.iter().filter(|task| !task.bonus);
            let checks = usual.flat_map(|task| task.checks);
            let points: u32 = checks.map(|check| check.points).sum();
            ensure!(
                points == 100,
                "tasks 1 to 4 give {points} points together, but must give 100"
            );
            for task in TASKS.iter().filter(|task| task.bonus) {
                let points: u32 = task.checks.iter().map(|check| check.points).sum();
                ensure!(
                    points == 25,
                    "task {} gives {points} points, but must give 25",
                    task.number
                );
            }
            Ok(())
        }),
        trial("bank::the_matrix_in_docs_is_this_bank", matrix_is_kept),
    ];
    match bank() {
        Ok(mut entries) => {
            // The programs that take longest come first, so that none of them still runs alone at the end.
            entries
                .sort_by_key(|entry| Reverse(entry.task().wings().map(|wing| wing.seconds).max()));
            let of_checks: Vec<Trial> = all_checks()
                .map(|check| {
                    let wrong = simplest_that_fails(&entries, check);
                    trial(
                        &format!("bank::each_check_fails_one::{}", check.id),
                        move || fails(check, &wrong?),
                    )
                })
                .collect();
            trials.extend(entries.into_iter().map(|entry| {
                let name = format!("bank::{}::{}", entry.of, entry.name);
                let is_wrong = entry.is_wrong();
                trial(&name, move || judge_entry(&entry)).with_ignored_flag(is_wrong)
            }));
            // One check of a program takes less than all of them, and those of the last tasks take longest.
            trials.extend(of_checks.into_iter().rev());
        }
        Err(error) => trials.push(trial("bank::can_be_read", move || Err(error))),
    }
    trials
}

/// The program that fails this check and the fewest others.
fn simplest_that_fails(entries: &[Entry], check: &Check) -> Result<Entry> {
    let mut simplest: Option<(usize, &Entry)> = None;
    for entry in entries {
        let fails = entry.must_fail()?;
        if fails.contains(&check.id) && simplest.is_none_or(|(fewest, _)| fails.len() < fewest) {
            simplest = Some((fails.len(), entry));
        }
    }
    let found = simplest.map(|(_, entry)| entry.clone());
    found.with_context(|| format!("no program of the bank fails {}", check.id))
}

/// Fails unless this check fails the program. No other check is judged.
fn fails(check: &Check, wrong: &Entry) -> Result<()> {
    let submission = wrong.build()?;
    let lane = Lane::open(&POOL, &submission)?;
    let mut verdicts = Vec::new();
    for part in 0..check.parts.len() {
        let verdict = check.judge_part(part, &lane);
        if matches!(verdict, Verdict::Failed { .. }) {
            return Ok(());
        }
        verdicts.push(verdict);
    }
    bail!(
        "the verdict on {} is {verdicts:?}, but must be failed\n{}",
        wrong.name,
        judge::timeline(&lane.seen())
    )
}

fn judge_entry(entry: &Entry) -> Result<()> {
    let judged = judge(&entry.build()?, &[entry.task()]);
    expect(&judged, &entry.must_fail()?)
}

/// Judges a submission on brokers that the tests share.
pub fn judge(submission: &Submission, tasks: &[&'static Task]) -> Vec<Judged> {
    judge::judge(&POOL, submission, tasks, |_| {})
}

/// Fails unless exactly these checks have failed and all others have passed.
pub fn expect(judged: &[Judged], must_fail: &[&str]) -> Result<()> {
    let mut wrong = String::new();
    for row in judged {
        let expected = if must_fail.contains(&row.id.as_str()) {
            Outcome::Failed
        } else {
            Outcome::Passed
        };
        if row.outcome != expected {
            writeln!(
                wrong,
                "{}: the verdict is {:?}, but must be {expected:?}. Expected: {}; saw: {}\n{}",
                row.id,
                row.outcome,
                row.expected,
                row.saw,
                judge::timeline(&row.seen)
            )?;
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("{wrong}")
}

/// The text of docs/misconceptions.md. It has a table for each task, with a row for each program and a column for each
/// check.
fn matrix() -> Result<String> {
    let mut text = String::from(
        "# What the checks tell apart\n\nEvery program of the bank (`tests/misconceptions/`), with the checks that it \
         fails (✗). It passes all other checks of\nits task. Programs without any ✗ are correct, but written differently.\n\n\
         `cargo test -- --include-ignored bank` judges them all. `UPDATE_DOCS=1 cargo test -- matrix` writes this page.\n",
    );
    let bank = bank()?;
    for task in TASKS {
        writeln!(text, "\n## Task {}. {}\n", task.number, task.title)?;
        for (number, check) in task.checks.iter().enumerate() {
            let points = match check.points {
                1 => "1 point".to_string(),
                points => format!("{points} points"),
            };
            writeln!(
                text,
                "{}. `{}` {} ({points})",
                number + 1,
                check.id,
                check.title
            )?;
        }
        let numbers = 1..=task.checks.len();
        let columns: String = numbers
            .clone()
            .map(|number| format!(" {number} |"))
            .collect();
        writeln!(text, "\n| program | what its author believes |{columns}")?;
        writeln!(text, "|---|---|{}", ":-:|".repeat(task.checks.len()))?;
        for entry in bank
            .iter()
            .filter(|entry| entry.task().number == task.number)
        {
            let fails = entry.must_fail()?;
            let marks = task.checks.iter().map(|check| {
                if fails.contains(&check.id) {
                    " ✗ |"
                } else {
                    "   |"
                }
            });
            let marks: String = marks.collect();
            writeln!(text, "| {} | {} |{marks}", entry.name, entry.belief)?;
        }
    }
    Ok(text)
}

fn matrix_is_kept() -> Result<()> {
    let path = workspace().join("docs/misconceptions.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, matrix()?)?;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    ensure!(
        kept == matrix()?,
        "docs/misconceptions.md does not match the bank. `UPDATE_DOCS=1 cargo test -- matrix` writes it again"
    );
    Ok(())
}
