//! Verdicts as text for a terminal.

use std::process::ExitCode;

use console::style;
use judge::{Judged, Outcome, Report, timeline};

/// The exit status where something could not be judged.
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

/// What each check that did not pass expected and saw; and once for all that looked at the same run, what happened.
pub fn print_verdicts(judged: &[Judged]) {
    let (not_judged, failed): (Vec<&Judged>, _) = judged
        .iter()
        .filter(|row| !row.passed())
        .partition(|row| row.verdict == Outcome::NotJudged);
    for same_run in failed.chunk_by(|one, next| one.looked_at_same_run(next)) {
        let told = |row: &&Judged| (row.expected.clone(), row.saw.clone());
        for same_words in same_run.chunk_by(|one, next| told(one) == told(next)) {
            print_alike(same_words);
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

/// For what reasons checks were not judged, a line for each, after a line break.
pub fn not_judged(report: &Report) -> String {
    let rows: Vec<&Judged> = report
        .checks
        .iter()
        .filter(|row| row.verdict == Outcome::NotJudged)
        .collect();
    let told = rows.chunk_by(|one, next| one.saw == next.saw).map(|rows| {
        let checks: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let why = rows
            .first()
            .map_or("", |row| &row.saw)
            .replace('\n', "\n    ");
        format!("\n    not judged: {}: {why}", checks.join(", "))
    });
    told.collect()
}

/// One reason is told once, however many checks it concerns.
fn print_not_judged(rows: &[&Judged]) {
    let Some(first) = rows.first() else { return };
    println!(
        "\n{} Not judged, which is not your fault:",
        sign(first.verdict)
    );
    for row in rows {
        println!("  - Task {}: {}", row.task, row.title);
    }
    println!("  {}", first.saw.replace('\n', "\n  "));
}

/// Checks that failed for one reason, such as a program that does not compile: it is told once.
fn print_alike(rows: &[&Judged]) {
    println!();
    for row in rows {
        let title = format!("Task {}: {}", row.task, row.title);
        println!(
            "{} {} (0 of {} points; {})",
            sign(row.verdict),
            style(title).bold(),
            row.max_points,
            row.id
        );
    }
    let Some(row) = rows.first() else { return };
    for (what, text) in [
        ("expected:", &row.expected),
        ("saw:", &row.saw),
        ("hint:", &row.hint),
    ] {
        println!("  {what:<9} {}", text.replace('\n', "\n            "));
    }
}

/// The exit status of a command that judged: 0 whatever the score, 3 if something could not be judged.
pub fn exit_code(reports: &[Report]) -> ExitCode {
    if reports.iter().all(Report::is_judged) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_JUDGED)
    }
}
