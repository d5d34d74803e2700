//! PrairieLearn's `results.json`, as its page "External Grading" describes it. If something could not be judged, the submission is
//! not gradable: that costs neither points nor an attempt.

use anyhow::Result;
use judge::{Outcome, Points, Report};
use serde::Serialize;

use super::{explanation, name};

/// The most characters of one explanation: PrairieLearn takes files of up to 1 MB.
const MOST_OUTPUT: usize = 8_000;

#[derive(Serialize)]
struct Results {
    gradable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    format_errors: Vec<String>,
    tests: Vec<Test>,
}

#[derive(Serialize)]
struct Test {
    name: String,
    points: u32,
    max_points: u32,
    output: String,
}

/// The whole file. A score is a number from 0 to 1, so bonus points count only up to the regular maximum.
///
/// # Errors
/// When the report cannot be written as JSON; no such report is known.
pub fn prairielearn(report: &Report) -> Result<String> {
    let tests = report.checks.iter().map(|row| Test {
        name: name(row),
        points: row.points,
        max_points: row.max_points,
        output: explanation(row).chars().take(MOST_OUTPUT).collect(),
    });
    let not_judged = report.checks.iter();
    let not_judged = not_judged.filter(|row| row.outcome == Outcome::NotJudged);
    let gradable = report.is_judged();
    let score = f64::from(report.score) / f64::from(report.max_score);
    let results = Results {
        gradable,
        score: gradable.then_some(score.min(1.0)),
        message: format!("{}.", Points::of(&report.checks)),
        format_errors: not_judged
            .map(|row| format!("{} could not be judged: {}", name(row), row.saw))
            .take(1)
            .collect(),
        tests: tests.collect(),
    };
    Ok(serde_json::to_string_pretty(&results)?)
}
