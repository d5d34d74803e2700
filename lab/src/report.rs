//! Verdicts, told for a terminal and for JSON.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use checks::{Judged, timeline};
use console::style;
use serde::Serialize;

/// The result of judging one submission, as `--json` prints it.
#[derive(Serialize)]
pub struct Report<'a> {
    submission: String,
    score: u32,
    max_score: u32,
    verdict: &'static str,
    seconds: f64,
    checks: &'a [Judged],
}

impl<'a> Report<'a> {
    /// The report on these verdicts.
    pub fn new(submission: &Path, took: Duration, checks: &'a [Judged]) -> Self {
        let verdict = if checks.iter().any(|row| row.verdict == "not_judged") {
            "not_judged"
        } else if checks.iter().all(Judged::passed) {
            "passed"
        } else {
            "failed"
        };
        Self {
            submission: submission.display().to_string(),
            score: checks.iter().map(|row| row.points).sum(),
            max_score: checks.iter().map(|row| row.max_points).sum(),
            verdict,
            seconds: took.as_secs_f64(),
            checks,
        }
    }

    /// Could something not be judged?
    pub fn not_judged(&self) -> bool {
        self.verdict == "not_judged"
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} points, after {:.0} s.",
            self.score, self.max_score, self.seconds
        )
    }
}

/// A verdict as a sign.
pub fn mark(row: &Judged) -> String {
    match row.verdict {
        "passed" => style("✓").green(),
        "failed" => style("✗").red(),
        _ => style("?").yellow(),
    }
    .to_string()
}

/// What each check that did not pass expected and saw; and once for all that looked at the same run, what happened.
pub fn tell(judged: &[Judged]) {
    let (not_judged, failed): (Vec<&Judged>, _) = judged
        .iter()
        .filter(|row| !row.passed())
        .partition(|row| row.verdict == "not_judged");
    for same_run in failed.chunk_by(|one, next| happened(one) == happened(next)) {
        for row in same_run {
            tell_one(row);
        }
        if let Some(row) = same_run.first().filter(|row| !row.seen.is_empty()) {
            println!("\n{}", style("  What happened:").dim());
            println!("{}", timeline(&row.seen));
        }
    }
    for same_reason in not_judged.chunk_by(|one, next| one.saw == next.saw) {
        tell_not_judged(same_reason);
    }
}

/// One reason is told once, however many checks it concerns.
fn tell_not_judged(rows: &[&Judged]) {
    let Some(first) = rows.first() else { return };
    println!("\n{} Not judged, which is not your fault:", mark(first));
    for row in rows {
        println!("  - Task {}: {}", row.task, row.title);
    }
    println!("  {}", first.saw.replace('\n', "\n  "));
}

/// Runs are the same where they begin and end at the same time, and have as much in them.
fn happened(row: &Judged) -> impl PartialEq {
    let at = |moment: Option<&checks::Moment>| moment.map(|moment| moment.at);
    (
        row.task,
        at(row.seen.first()),
        at(row.seen.last()),
        row.seen.len(),
    )
}

fn tell_one(row: &Judged) {
    let title = format!("Task {}: {}", row.task, row.title);
    println!(
        "\n{} {} (0 of {} points; {})",
        mark(row),
        style(title).bold(),
        row.max_points,
        row.id
    );
    let say = |what: &str, text: &str| {
        let text = text.replace('\n', "\n            ");
        println!("  {what:<9} {text}");
    };
    say("expected:", &row.expected);
    say("saw:", &row.saw);
    say("hint:", &row.hint);
}
