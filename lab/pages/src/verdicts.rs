//! Verdicts on a page, and what happened when checks failed.

use judge::{Judged, Outcome};
use maud::{Markup, html};

use crate::timeline::timeline;

/// A sign and a word for a verdict.
pub fn sign(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Passed => ("✓", "passed"),
        Outcome::Failed => ("✗", "failed"),
        Outcome::NotJudged => ("?", "not judged"),
    }
}

/// The verdicts on a task; `about` is its title. Checks that passed are folded away.
pub fn verdicts(rows: &[&Judged], about: &str) -> Markup {
    let passed: Vec<_> = rows.iter().filter(|row| row.passed()).collect();
    html! {
        div.verdicts tabindex="0" role="region" aria-label={ "Verdicts: " (about) } {
            @for row in rows.iter().filter(|row| !row.passed()) { (verdict(row)) }
            @if !passed.is_empty() {
                details.passed {
                    summary { (passed.len()) " passed" }
                    @for row in passed { (verdict(row)) }
                }
            }
        }
    }
}

fn verdict(row: &Judged) -> Markup {
    let (sign, word) = sign(row.outcome);
    let parts = match row.outcome {
        Outcome::NotJudged => vec![("not the submission's fault", &row.saw)],
        _ => vec![
            ("expected", &row.expected),
            ("saw", &row.saw),
            ("hint", &row.hint),
        ],
    };
    html! {
        article class={ "verdict " (word.replace(' ', "-")) } {
            h3 { span.sign { (sign) " " (word) } ": " (row.title) }
            p.quiet { (row.points) " of " (row.max_points) " points · " code { (row.id) } }
            dl {
                @for (name, text) in parts.iter().filter(|(_, text)| !text.is_empty()) {
                    dt { (name) }
                    dd { (text) }
                }
            }
        }
    }
}

/// A timeline for each run in which checks failed.
pub fn what_happened(rows: &[&Judged]) -> Markup {
    let failed: Vec<&Judged> = rows
        .iter()
        .filter(|row| row.outcome == Outcome::Failed && !row.seen.is_empty())
        .copied()
        .collect();
    html! {
        @for same_run in failed.chunk_by(|one, next| one.looked_at_same_run(next)) {
            @if let Some(first) = same_run.first() {
                h3 { "What happened: " (titles(same_run)) }
                (timeline(&first.seen, &format!("happened-{}", first.id.replace('.', "-")), &titles(same_run)))
            }
        }
    }
}

fn titles(rows: &[&Judged]) -> String {
    let titles: Vec<&str> = rows.iter().map(|row| row.title.as_str()).collect();
    titles.join("; ")
}
