//! Classroom 50's `result.json`: its schema `classroom50/result/v1`.

use anyhow::Result;
use jiff::Timestamp;
use judge::Report;
use serde::Serialize;

use super::{name, told};

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

/// The whole file. Whose work it is, and where it lies, its runner says in variables; elsewhere the submission's name stands
/// for it.
///
/// # Errors
/// None that is known.
pub fn classroom50(report: &Report) -> Result<String> {
    let said = |variable: &str, otherwise: &str| {
        let value = std::env::var(variable)
            .ok()
            .filter(|value| !value.is_empty());
        value.unwrap_or_else(|| otherwise.to_string())
    };
    let name_of_submission = &report.submission;
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let commit = said("COMMIT_URL", name_of_submission);
    let tests = report.checks.iter().map(|row| Test {
        test_name: name(row),
        passed: row.passed(),
        score: row.points,
        max_score: row.max_points,
        output: told(row),
    });
    let result = ResultFile {
        schema: "classroom50/result/v1",
        classroom: said("CLASSROOM", "kafka-lab"),
        assignment: said("ASSIGNMENT", "kafka-lab"),
        assignment_type: said("MODE", "individual"),
        owner: said("OWNER", name_of_submission),
        submission: said("SUBMISSION_TAG", &format!("submit/{name_of_submission}")),
        release: said("RELEASE_URL", &commit),
        review: said("REVIEW_URL", &commit),
        commit,
        datetime: said("SUBMISSION_DATETIME", &now),
        graded_at: now,
        score: report.score,
        max_score: report.max_score,
        tests: tests.collect(),
    };
    Ok(serde_json::to_string_pretty(&result)?)
}
