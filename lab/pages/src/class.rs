//! A class: the scores, which submissions fail the same checks, and a table of all verdicts.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use judge::{Check, Judged, Outcome, Report, TASKS, all_checks};
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::page::page;
use crate::verdict_in_words::sign;

/// The page of a class. Each submission has a page of its own, in a folder with the submission's name; `review` is the file name
/// of that page.
pub fn class_page(reports: &[Report], review: &str) -> String {
    let mut best: Vec<&Report> = reports.iter().collect();
    best.sort_by_key(|report| (Reverse(report.score), &report.submission));
    let body = html! {
        header {
            h1 { (reports.len()) " submissions" }
            p {
                "Median " strong { (median(&best)) } " of " (best.first().map_or(0, |report| report.max_score)) " points"
                @let not_judged = best.iter().filter(|report| !report.is_judged()).count();
                @if not_judged > 0 { ", not counting " (not_judged) " that could not be judged" }
                "."
            }
        }
        section { h2 { "Scores" } (scores(&best, review)) }
        section { h2 { "Submissions that fail the same checks" } (groups(&best, review)) }
        section { h2 { "All verdicts" } (heat_map(&best, review)) }
    };
    page("The class", &body)
}

/// The median score of the submissions that could be judged; 0 if there are none.
fn median(best: &[&Report]) -> u32 {
    let scores: Vec<u32> = best
        .iter()
        .filter(|report| report.is_judged())
        .map(|report| report.score)
        .collect();
    scores.get(scores.len() / 2).copied().unwrap_or_default()
}

/// A link to the page of a submission.
fn link(report: &Report, review: &str) -> Markup {
    let folder = utf8_percent_encode(&report.submission, NON_ALPHANUMERIC);
    html! { a href=(format!("{folder}/{review}")) { (report.submission) } }
}

fn scores(best: &[&Report], review: &str) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Scores" {
            table.scores {
                thead {
                    tr {
                        th scope="col" { "submission" }
                        th scope="col" { "points" }
                        @for task in TASKS { th scope="col" { "task " (task.number) } }
                    }
                }
                tbody {
                    @for report in best {
                        tr {
                            th scope="row" { (link(report, review)) }
                            td.points {
                                meter min="0" max=(report.max_score) value=(report.score) aria-hidden="true" {}
                                " " (report.score)
                                @if !report.is_judged() { " (some checks not judged)" }
                            }
                            @for task in TASKS {
                                @let rows = || report.checks.iter().filter(|row| row.task == task.number);
                                td.points {
                                    (rows().map(|row| row.points).sum::<u32>())
                                    @if rows().any(|row| row.outcome == Outcome::NotJudged) { " or more" }
                                    " of " (rows().map(|row| row.max_points).sum::<u32>())
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The groups of submissions that fail the same checks. The largest group comes first.
fn groups(best: &[&Report], review: &str) -> Markup {
    let mut alike: BTreeMap<Vec<&str>, Vec<&Report>> = BTreeMap::new();
    for report in best {
        let failed = report
            .checks
            .iter()
            .filter(|row| row.outcome == Outcome::Failed);
        let failed: Vec<&str> = failed.map(|row| row.id.as_str()).collect();
        if !failed.is_empty() {
            alike.entry(failed).or_default().push(report);
        }
    }
    let mut alike: Vec<_> = alike.into_iter().collect();
    alike.sort_by_key(|(failed, who)| (Reverse(who.len()), failed.len()));
    html! {
        @if alike.is_empty() { p { "No submission fails a check." } }
        ol.groups {
            @for (failed, who) in &alike {
                li {
                    details {
                        summary { strong { (who.len()) } ": " (failed.len()) " failed" @if let Some(first) = failed.first() { ", " code { (first) } @if failed.len() > 1 { " …" } } }
                        ul { @for id in failed { li { code { (id) } " " (title(id)) } } }
                    }
                    p { @for (at, report) in who.iter().enumerate() { @if at > 0 { ", " } (link(report, review)) } }
                }
            }
        }
    }
}

fn title(id: &str) -> &'static str {
    all_checks()
        .find(|check| check.id == id)
        .map_or("", |check| check.title)
}

/// The table of all verdicts: a row for each check, and a column for each submission.
fn heat_map(best: &[&Report], review: &str) -> Markup {
    let outcome = |report: &Report, check: &Check| {
        let is_it = |row: &&Judged| row.id == check.id;
        report
            .checks
            .iter()
            .find(is_it)
            .map_or(Outcome::NotJudged, |row| row.outcome)
    };
    let mut checks: Vec<(usize, &Check)> = all_checks()
        .map(|check| {
            let failed = |report: &&&Report| outcome(report, check) == Outcome::Failed;
            (best.iter().filter(failed).count(), check)
        })
        .collect();
    checks.sort_by_key(|(failed, _)| Reverse(*failed));
    html! {
        p { "The check that most submissions fail comes first. The submission with the best score is on the left." }
        div.scroll tabindex="0" role="region" aria-label="All verdicts" {
            table.heat {
                thead {
                    tr {
                        th scope="col" { "check" }
                        th scope="col" { "failures" }
                        @for report in best { th.name scope="col" { (link(report, review)) } }
                    }
                }
                tbody {
                    @for (failed, check) in checks {
                        tr {
                            th scope="row" title=(check.title) { (check.id) }
                            td.points { (failed) }
                            @for report in best {
                                @let (sign, word) = sign(outcome(report, check));
                                td class=(word.replace(' ', "-")) title={ (report.submission) ": " (word) } { (sign) }
                            }
                        }
                    }
                }
            }
        }
    }
}
