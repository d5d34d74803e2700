//! A table for a gradebook: a row for each submission, a column for each task and each check.

use anyhow::Result;
use checks::{Report, TASKS, all_checks};
use csv::Writer;

/// The whole file, as CSV with a header.
///
/// # Errors
/// None that is known.
pub fn gradebook(reports: &[Report]) -> Result<Vec<u8>> {
    let mut table = Writer::from_writer(Vec::new());
    let mut header: Vec<String> = ["submission", "score", "max_score", "verdict"]
        .map(ToString::to_string)
        .to_vec();
    header.extend(TASKS.iter().map(|task| format!("task{}", task.number)));
    header.extend(all_checks().map(|check| check.id.to_string()));
    table.write_record(&header)?;
    for report in reports {
        let verdict = serde_json::to_value(report.verdict)?;
        let mut row = vec![
            report.submission.clone(),
            report.score.to_string(),
            report.max_score.to_string(),
            verdict.as_str().unwrap_or_default().to_string(),
        ];
        row.extend(TASKS.iter().map(|task| {
            let of_task = report.checks.iter().filter(|row| row.task == task.number);
            of_task.map(|row| row.points).sum::<u32>().to_string()
        }));
        row.extend(all_checks().map(|check| {
            let judged = report.checks.iter().find(|row| row.id == check.id);
            judged.map_or_else(String::new, |row| row.points.to_string())
        }));
        table.write_record(&row)?;
    }
    Ok(table.into_inner()?)
}
