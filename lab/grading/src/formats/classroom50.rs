//! Classroom 50's `result.json`, by the schema `classroom50/result/v1`. The platform refuses a score that is larger than its
//! maximum, so bonus points count only up to the regular maximum.

use anyhow::Result;
use jiff::Timestamp;
use judge::Report;
use serde::Serialize;

use super::{explanation, name};

#[derive(Serialize)]
struct ResultFile {
    schema: &'static str,
    classroom: String,
    assignment: String,
    assignment_type: String,
    owner: String,
    submission: String,
    commit: String,
    release: String,
    review: String,
    datetime: String,
    graded_at: String,
    score: u32,
    #[serde(rename = "max-score")]
    max_score: u32,
    tests: Vec<Test>,
}

#[derive(Serialize)]
struct Test {
    #[serde(rename = "test-name")]
    test_name: String,
    passed: bool,
    score: u32,
    #[serde(rename = "max-score")]
    max_score: u32,
    output: String,
}

/// The whole file. Classroom 50's runner says in environment variables who submitted and where the commit is. For a variable
/// that is not set, the submission's name is used instead.
///
/// # Errors
/// When the report cannot be written as JSON; no such report is known.
pub fn classroom50(report: &Report) -> Result<String> {
    let variable = |name: &str, default: &str| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty());
        value.unwrap_or_else(|| default.to_string())
    };
    let name_of_submission = &report.submission;
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let commit = variable("COMMIT_URL", name_of_submission);
    let tests = report.checks.iter().map(|row| Test {
        test_name: name(row),
        passed: row.passed(),
        score: row.points,
        max_score: row.max_points,
        output: explanation(row),
    });
    let result = ResultFile {
        schema: "classroom50/result/v1",
        classroom: variable("CLASSROOM", "kafka-lab"),
        assignment: variable("ASSIGNMENT", "kafka-lab"),
        assignment_type: variable("ASSIGNMENT_TYPE", "individual"),
        owner: variable("OWNER", name_of_submission),
        submission: variable("SUBMISSION_TAG", &format!("submit/{name_of_submission}")),
        release: variable("RELEASE_URL", &commit),
        review: variable("REVIEW_URL", &commit),
        commit,
        datetime: variable("SUBMISSION_DATETIME", &now),
        graded_at: now,
        score: report.score.min(report.max_score),
        max_score: report.max_score,
        tests: tests.collect(),
    };
    Ok(serde_json::to_string_pretty(&result)?)
}
