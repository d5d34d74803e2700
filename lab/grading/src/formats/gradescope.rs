//! Gradescope's `results.json`, as Gradescope's autograder specifications describe it. The format has no way to say that a
//! check could not be judged, so it is only for reports in which every check was.

use anyhow::Result;
use judge::{Points, Report};
use serde::Serialize;

use super::{explanation, name};

#[derive(Serialize)]
struct Results<'a> {
    score: u32,
    /// In seconds.
    execution_time: u64,
    output: String,
    output_format: &'static str,
    stdout_visibility: &'static str,
    tests: Vec<Test<'a>>,
}

#[derive(Serialize)]
struct Test<'a> {
    name: String,
    number: String,
    score: u32,
    max_score: u32,
    status: &'static str,
    output: String,
    output_format: &'static str,
    tags: [&'a str; 1],
    visibility: &'static str,
}

/// The whole file. The text at its top lists the files that were left out of the submission.
///
/// # Errors
/// When the report cannot be written as JSON; no such report is known.
pub fn gradescope(report: &Report, left_out: &[String]) -> Result<String> {
    let mut output = format!("{}.", Points::of(&report.checks));
    for what in left_out {
        output += &format!("\nNot taken from the submission: {what}.");
    }
    let tests = report.checks.iter().zip(1..).map(|(row, number)| Test {
        name: name(row),
        number: format!("{}.{number}", row.task),
        score: row.points,
        max_score: row.max_points,
        status: if row.passed() { "passed" } else { "failed" },
        output: explanation(row),
        output_format: "text",
        tags: [&row.id],
        visibility: "visible",
    });
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "seconds of one submission"
    )]
    let execution_time = report.seconds.ceil() as u64;
    let results = Results {
        score: report.score,
        execution_time,
        output,
        output_format: "text",
        stdout_visibility: "hidden",
        tests: tests.collect(),
    };
    Ok(serde_json::to_string_pretty(&results)?)
}
