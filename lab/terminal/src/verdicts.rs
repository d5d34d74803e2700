//! Verdicts as text for a terminal.

use std::process::ExitCode;

use console::style;
use judge::{Judged, Outcome, Report, timeline};

/// The exit status if something could not be judged.
const NOT_JUDGED: u8 = 3;

/// A verdict as a sign.
pub fn sign(outcome: Outcome) -> String {
    match outcome {
        Outcome::Passed => style("✓").green(),
        Outcome::Failed => style("✗").red(),
        Outcome::NotJudged => style("?").yellow(),
    }
    .to_string()
}

/// Prints what each check that did not pass expected and saw. What happened is printed once for all checks that are about the same
/// run.
pub fn print_verdicts(judged: &[Judged]) {
    let (not_judged, failed): (Vec<&Judged>, _) = judged
        .iter()
        .filter(|row| !row.passed())
        .partition(|row| row.outcome == Outcome::NotJudged);
    for same_run in failed.chunk_by(|one, next| one.looked_at_same_run(next)) {
        let has_same_words =
            |one: &&Judged, next: &&Judged| one.expected == next.expected && one.saw == next.saw;
        for same_words in same_run.chunk_by(has_same_words) {
            print_failed(same_words);
        }
        if let Some(row) = same_run.first().filter(|row| !row.seen.is_empty()) {
            println!("\n{}", style("  What happened:").dim());
            println!("{}", timeline(&row.seen));
        }
    }
    for same_reason in not_judged.chunk_by(|one, next| one.saw == next.saw) {
        print_not_judged(same_reason);
    }
}

/// The reasons why checks were not judged: a line for each, with a line break before it.
pub fn not_judged(report: &Report) -> String {
    let rows: Vec<&Judged> = report
        .checks
        .iter()
        .filter(|row| row.outcome == Outcome::NotJudged)
        .collect();
    let lines = rows.chunk_by(|one, next| one.saw == next.saw).map(|rows| {
        let checks: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let why = rows
            .first()
            .map_or("", |row| &row.saw)
            .replace('\n', "\n    ");
        format!("\n    not judged: {}: {why}", checks.join(", "))
    });
    lines.collect()
}

/// Prints checks that were not judged for the same reason.
fn print_not_judged(rows: &[&Judged]) {
    let Some(first) = rows.first() else { return };
    println!(
        "\n{} Not judged, which is not your fault:",
        sign(first.outcome)
    );
    for row in rows {
        println!("  - Task {}: {}", row.task, row.title);
    }
    println!("  {}", first.saw.replace('\n', "\n  "));
}

/// Prints checks that failed for the same reason, such as a program that does not compile.
fn print_failed(rows: &[&Judged]) {
    println!();
    for row in rows {
        let title = format!("Task {}: {}", row.task, row.title);
        println!(
            "{} {} (0 of {} points; {})",
            sign(row.outcome),
            style(title).bold(),
            row.max_points,
            row.id
        );
    }
    let Some(row) = rows.first() else { return };
    for (label, text) in [
        ("expected:", &row.expected),
        ("saw:", &row.saw),
        ("hint:", &row.hint),
    ] {
        println!("  {label:<9} {}", text.replace('\n', "\n            "));
    }
}

/// The exit status of a command that judges: 0 whatever the scores, or 3 if something could not be judged.
pub fn exit_code(reports: &[Report]) -> ExitCode {
    if reports.iter().all(Report::is_judged) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_JUDGED)
    }
}
