//! Verdicts on a page, and what happened when checks failed.

use judge::{Judged, Outcome};
use maud::{Markup, html};

use crate::timeline::timeline;
use crate::told_once::Reasons;
use crate::verdict_in_words::{check_id, parts, sign};

/// The verdicts on a task; `about` is its title. Checks that passed are folded away, and those whose reason is told in a box are
/// only counted.
pub fn verdicts(rows: &[&Judged], reasons: &Reasons, about: &str) -> Markup {
    let (passed, others): (Vec<&Judged>, Vec<&Judged>) =
        rows.iter().copied().partition(|row| row.passed());
    html! {
        div.verdicts tabindex="0" role="region" aria-label={ "Verdicts: " (about) } {
            @if others.iter().any(|row| reasons.tell(row)) { ul { (reasons.links(rows)) } }
            @for row in others.iter().filter(|row| !reasons.tell(row)) { (verdict(row)) }
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
    html! {
        article.verdict.(word.replace(' ', "-")) id=(check_id(row)) {
            h3 { span.sign { (sign) " " (word) } ": " (row.title) }
            p.quiet { (row.points) " of " (row.max_points) " points · " code { (row.id) } }
            (parts(row))
        }
    }
}

/// A timeline for each run in which checks failed. If there was no program to judge, nothing happened.
pub fn what_happened(rows: &[&Judged]) -> Markup {
    let failed: Vec<&Judged> = rows
        .iter()
        .filter(|row| row.outcome == Outcome::Failed && row.cause.is_none() && !row.seen.is_empty())
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
