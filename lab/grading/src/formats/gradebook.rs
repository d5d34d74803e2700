//! A table for a gradebook: a row for each submission, and a column for each task and each check. `score` is the sum of the
//! regular points and the bonus points, which also have a column each. If a check could not be
//! judged, its cell and the sums that it belongs to are empty: not judged does not count as zero. With a roster, each row begins
//! with the cells by which a learning platform knows the student.

use anyhow::Result;
use csv::Writer;
use judge::{Judged, Outcome, Report, TASKS, all_checks, is_bonus};

use crate::roster::Roster;

/// The whole file, as CSV with a header.
///
/// # Errors
/// When the table cannot be written as CSV; no such table is known.
pub fn gradebook(reports: &[Report], roster: Option<&Roster>) -> Result<Vec<u8>> {
    let mut table = Writer::from_writer(Vec::new());
    let of_student = roster.map_or(&[][..], |roster| &roster.columns);
    let mut header = of_student.to_vec();
    header.extend(
        [
            "submission",
            "score",
            "max_score",
            "verdict",
            "regular",
            "bonus",
        ]
        .map(ToString::to_string),
    );
    header.extend(TASKS.iter().map(|task| format!("task{}", task.number)));
    header.extend(all_checks().map(|check| check.id.to_string()));
    table.write_record(&header)?;
    for report in reports {
        let verdict = serde_json::to_value(report.outcome)?;
        let student = roster.and_then(|roster| roster.student(&report.submission));
        let nobody = vec![String::new(); of_student.len()];
        let mut row = student.unwrap_or(&nobody).to_vec();
        row.extend([
            report.submission.clone(),
            points(&report.checks),
            report.max_score.to_string(),
            verdict.as_str().unwrap_or_default().to_string(),
            points(report.checks.iter().filter(|row| !is_bonus(row))),
            points(report.checks.iter().filter(|row| is_bonus(row))),
        ]);
        row.extend(
            TASKS
                .iter()
                .map(|task| points(report.checks.iter().filter(|row| row.task == task.number))),
        );
        row.extend(
            all_checks().map(|check| points(report.checks.iter().find(|row| row.id == check.id))),
        );
        table.write_record(&row)?;
    }
    Ok(table.into_inner()?)
}

/// The sum of these checks' points; empty if there are no checks, or if one of them could not be judged.
fn points<'a>(rows: impl IntoIterator<Item = &'a Judged>) -> String {
    let judged = |row: &Judged| (row.outcome != Outcome::NotJudged).then_some(row.points);
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() {
        return String::new();
    }
    let sum: Option<u32> = rows.map(judged).sum();
    sum.map_or_else(String::new, |sum| sum.to_string())
}
