//! Verdicts as text for a terminal.

use std::process::ExitCode;

use console::style;
use judge::{Judged, Outcome, Report, cause_of, counted, timeline, told_once};

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

/// Prints what each check that did not pass expected and saw. Each reason is told once for all its checks, and what happened is
/// printed once for all checks that are about the same run.
pub fn print_verdicts(judged: &[Judged]) {
    let with = |outcome| judged.iter().filter(move |row| row.outcome == outcome);
    let (without_program, failed): (Vec<&Judged>, Vec<&Judged>) =
        with(Outcome::Failed).partition(|row| row.cause.is_some());
    for rows in told_once(without_program) {
        print_cause(&rows);
    }
    for same_run in failed.chunk_by(|one, next| one.looked_at_same_run(next)) {
        for rows in told_once(same_run.iter().copied()) {
            print_failed(&rows);
        }
        if let Some(row) = same_run.first().filter(|row| !row.seen.is_empty()) {
            println!("\n{}", style("  What happened:").dim());
            println!("{}", timeline(&row.seen));
        }
    }
    for rows in told_once(with(Outcome::NotJudged)) {
        print_not_judged(&rows);
    }
}

/// The reasons why checks were not judged: a line for each, with a line break before it.
pub fn not_judged(report: &Report) -> String {
    let rows = report.checks.iter();
    let rows = rows.filter(|row| row.outcome == Outcome::NotJudged);
    let lines = told_once(rows).into_iter().map(|rows| {
        let why = indented(&rows[0].saw, 4);
        format!("\n    not judged: {}: {why}", named(&rows))
    });
    lines.collect()
}

/// The title of a check, or how many checks these are.
fn named(rows: &[&Judged]) -> String {
    match rows {
        [one] => format!("Task {}: {}", one.task, one.title),
        several => counted(several),
    }
}

/// Prints checks that were not judged for the same reason.
fn print_not_judged(rows: &[&Judged]) {
    let sign = sign(Outcome::NotJudged);
    println!(
        "\n{sign} Not judged, which is not your fault: {}",
        named(rows)
    );
    println!("  {}", indented(&rows[0].saw, 2));
}

/// Prints checks that failed because there is no program to judge.
fn print_cause(rows: &[&Judged]) {
    let Some(cause) = cause_of(rows) else { return };
    let points: u32 = rows.iter().map(|row| row.max_points).sum();
    println!(
        "\n{} {} (0 of {points} points; {})",
        sign(Outcome::Failed),
        style(cause).bold(),
        counted(rows)
    );
    print_parts(rows[0]);
}

/// Prints checks that failed for the same reason.
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
    print_parts(rows[0]);
}

fn print_parts(row: &Judged) {
    for (label, text) in row.parts() {
        println!("  {:<9} {}", format!("{label}:"), indented(text, 12));
    }
}

/// The text, with this many spaces before each line but the first.
fn indented(text: &str, spaces: usize) -> String {
    text.replace('\n', &format!("\n{:spaces$}", ""))
}

/// The exit status of a command that judges: 0 whatever the scores, or 3 if something could not be judged.
pub fn exit_code(reports: &[Report]) -> ExitCode {
    if reports.iter().all(Report::is_judged) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_JUDGED)
    }
}
