//! Every program of the bank fails the checks that it must fail, and passes every other check of its task.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use anyhow::{Result, bail, ensure};
use checks::bank::{Entry, bank};
use checks::programs::{Version, workspace};
use checks::{Judged, Submission, all_checks, judge};
use libtest_mimic::Trial;

use crate::{programs, trial};

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("bank::solutions_get_100", || {
            let judged = judge(
                &Submission::of(programs(Version::Solution)?),
                &[1, 2, 3, 4],
                |_| {},
            );
            expect(&judged, &[])
        }),
        trial("bank::a_missing_program_is_not_submitted", || {
            let nothing = Submission::of(BTreeMap::new());
            let judged = judge(&nothing, &[4], |_| {});
            ensure!(
                judged
                    .iter()
                    .all(|row| row.verdict == "failed" && row.saw.contains("not submitted"))
            );
            Ok(())
        }),
        trial("bank::points_make_100", || {
            let points: u32 = all_checks().map(|check| check.points).sum();
            ensure!(points == 100, "{points}");
            Ok(())
        }),
        trial("bank::the_matrix_in_docs_is_this_bank", matrix_is_kept),
    ];
    match bank() {
        Ok(entries) => trials.extend(entries.into_iter().map(|entry| {
            trial(&format!("bank::{}::{}", entry.of, entry.name), move || {
                judge_entry(&entry)
            })
        })),
        Err(error) => trials.push(trial("bank::can_be_read", move || Err(error))),
    }
    trials
}

fn judge_entry(entry: &Entry) -> Result<()> {
    let judged = judge(&entry.build()?, &[entry.task()], |_| {});
    expect(&judged, &entry.must_fail()?)
}

/// These and no others must have failed.
fn expect(judged: &[Judged], must_fail: &[&str]) -> Result<()> {
    let mut wrong = String::new();
    for row in judged {
        let expected = if must_fail.contains(&row.id) {
            "failed"
        } else {
            "passed"
        };
        if row.verdict != expected {
            writeln!(
                wrong,
                "{} {}, but must be {expected}. expected: {}; saw: {}",
                row.id, row.verdict, row.expected, row.saw
            )?;
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("{wrong}")
}

/// The matrix of programs and checks, as docs/misconceptions.md keeps it.
fn matrix() -> Result<String> {
    let mut text = String::from(
        "# What the checks tell apart\n\nEvery program of the bank (`tests/misconceptions/bank.toml`) with the checks that it \
         fails; it passes all others of its task.\n`cargo test -- bank` runs them all. `UPDATE_DOCS=1 cargo test -- matrix` \
         writes this page.\n\n| program | what its author believes | fails |\n|---|---|---|\n",
    );
    for entry in bank()? {
        let fails = entry.must_fail()?;
        let fails = if fails.is_empty() {
            "nothing: it is right".to_string()
        } else {
            fails.join(", ")
        };
        writeln!(
            text,
            "| {} ({}) | {} | {fails} |",
            entry.name, entry.of, entry.belief
        )?;
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
        "docs/misconceptions.md differs; UPDATE_DOCS=1 cargo test -- matrix writes it anew"
    );
    Ok(())
}
