//! JUnit's XML, which every CI reads: a test suite for each task, and a test case for each check.

use std::time::Duration;

use anyhow::Result;
use judge::{Outcome, Report, TASKS};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::explanation;

/// The whole file. A check that failed is a failure; a check that could not be judged is an error.
///
/// # Errors
/// When the report cannot be written as XML; no such report is known.
pub fn junit(report: &Report) -> Result<String> {
    let mut whole = quick_junit::Report::new(&report.submission);
    whole.set_time(Duration::from_secs_f64(report.seconds));
    for task in TASKS {
        let mut suite = TestSuite::new(format!("Task {}. {}", task.number, task.title));
        for row in report.checks.iter().filter(|row| row.task == task.number) {
            let mut status = match row.outcome {
                Outcome::Passed => TestCaseStatus::success(),
                Outcome::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
                Outcome::NotJudged => TestCaseStatus::non_success(NonSuccessKind::Error),
            };
            if !row.passed() {
                status.set_message(&row.title);
                status.set_description(explanation(row));
            }
            let mut case = TestCase::new(&row.id, status);
            case.set_classname(format!("task{}", row.task));
            suite.add_test_case(case);
        }
        if !suite.test_cases.is_empty() {
            whole.add_test_suite(suite);
        }
    }
    Ok(whole.to_string()?)
}
