//! `cargo lab check`: a student's own programs against the checks.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use broker::wait;
use checks::programs::{self, PROGRAMS, Version};
use checks::{Judged, Pool, Submission, TASKS, Task, judge, timeline};
use serde::Serialize;

/// The exit status where something could not be judged.
const NOT_JUDGED: u8 = 3;

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    submission: String,
    score: u32,
    max_score: u32,
    verdict: &'static str,
    seconds: f64,
    checks: &'a [Judged],
}

pub fn check(task: Option<u32>, folder: Option<&Path>, json: bool) -> Result<ExitCode> {
    let start = Instant::now();
    let tasks: Vec<&Task> = TASKS
        .iter()
        .filter(|row| task.is_none_or(|only| only == row.number))
        .collect();
    if tasks.is_empty() {
        bail!("there is no such task");
    }
    let submission = match folder {
        Some(folder) => Submission::in_folder(folder)?,
        None => Submission::of(build_own()?),
    };
    let judged = judge(&Pool::default(), &submission, &tasks, |row| {
        if !json {
            println!("{} {}. {}", mark(row), row.task, row.title);
        }
    });
    wait::check_interrupt()?;

    let score = judged.iter().map(|row| row.points).sum();
    let max_score = judged.iter().map(|row| row.max_points).sum();
    let not_judged = judged.iter().any(|row| row.verdict == "not_judged");
    if json {
        let report = Report {
            submission: folder
                .unwrap_or(programs::workspace())
                .display()
                .to_string(),
            score,
            max_score,
            verdict: if not_judged {
                "not_judged"
            } else if score == max_score {
                "passed"
            } else {
                "failed"
            },
            seconds: start.elapsed().as_secs_f64(),
            checks: &judged,
        };
        println!("{}", serde_json::to_string(&report)?);
    } else {
        tell(&judged);
        println!(
            "\n{score} of {max_score} points, after {:.0} s.",
            start.elapsed().as_secs_f32()
        );
    }
    Ok(if not_judged {
        ExitCode::from(NOT_JUDGED)
    } else {
        ExitCode::SUCCESS
    })
}

/// The programs of this workspace. One that does not compile is not there, and the others are judged all the same; the
/// compiler's messages are on standard error.
fn build_own() -> Result<BTreeMap<String, std::path::PathBuf>> {
    let mut built = BTreeMap::new();
    for program in PROGRAMS {
        match programs::build(&[program], Version::Own) {
            Ok(one) => built.extend(one),
            Err(error) => {
                wait::check_interrupt()?;
                eprintln!("{program}: {error:#}");
            }
        }
    }
    Ok(built)
}

fn mark(row: &Judged) -> &'static str {
    match row.verdict {
        "passed" => "✓",
        "failed" => "✗",
        _ => "?",
    }
}

/// What each check that did not pass expected and saw.
fn tell(judged: &[Judged]) {
    for row in judged.iter().filter(|row| row.verdict != "passed") {
        println!(
            "\n{} Task {}: {} (0 of {} points; {})",
            mark(row),
            row.task,
            row.title,
            row.max_points,
            row.id
        );
        if row.verdict == "not_judged" {
            println!(
                "  could not be judged, which is not your fault: {}",
                row.saw
            );
            continue;
        }
        println!("  expected: {}", row.expected);
        println!("  saw:      {}", row.saw.replace('\n', "\n            "));
        println!("  hint:     {}", row.hint);
        println!("{}", timeline(&row.seen));
    }
}
