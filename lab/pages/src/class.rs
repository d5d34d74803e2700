//! A class: the scores, which submissions fail the same checks, and a table of all verdicts.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use judge::{
    Check, Judged, Outcome, Points, Report, TASKS, all_checks, best_first, cause_of, counted,
    is_bonus, told_once,
};
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::page::page;
use crate::verdict_in_words::sign;

/// The page of a class. Each submission has a page of its own, in a folder with the submission's name; `review` is the file name
/// of that page.
pub fn class_page(reports: &[Report], review: &str) -> String {
    let mut best: Vec<&Report> = reports.iter().collect();
    best_first(&mut best);
    let body = html! {
        header {
            h1 { (reports.len()) " submissions" }
            p {
                @if let Some(median) = Points::median(&best) { "Median " strong { (median) } }
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

/// A link to the page of a submission.
fn link(report: &Report, review: &str) -> Markup {
    let folder = utf8_percent_encode(&report.submission, NON_ALPHANUMERIC);
    html! { a href=(format!("{folder}/{review}")) { (report.submission) } }
}

fn scores(best: &[&Report], review: &str) -> Markup {
    let all = best.first().map(|report| Points::of(&report.checks));
    let all = all.unwrap_or_default();
    html! {
        div.scroll.of-scores tabindex="0" role="region" aria-label="Scores" {
            table.scores {
                thead {
                    tr {
                        th scope="col" { "submission" }
                        (head("points", all.of_regular))
                        (head("bonus", all.of_bonus))
                        @for task in TASKS { (head(&format!("task {}", task.number), task.checks.iter().map(|check| check.points).sum())) }
                    }
                }
                tbody {
                    @for report in best {
                        @let points = Points::of(&report.checks);
                        @let is_open = |row: &&Judged| row.outcome == Outcome::NotJudged;
                        tr {
                            th scope="row" { (link(report, review)) }
                            (bar(points.regular, points.of_regular, report.checks.iter().filter(|row| !is_bonus(row)).any(|row| is_open(&row))))
                            (bar(points.bonus, points.of_bonus, report.checks.iter().filter(|row| is_bonus(row)).any(|row| is_open(&row))))
                            @for task in TASKS {
                                @let rows = || report.checks.iter().filter(|row| row.task == task.number);
                                td.points {
                                    (rows().map(|row| row.points).sum::<u32>())
                                    @if rows().any(|row| is_open(&row)) { (OR_MORE) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What follows a number of points if some checks were not judged.
const OR_MORE: &str = " or more";

/// The head of a column with points.
fn head(name: &str, possible: u32) -> Markup {
    html! { th scope="col" { (name) " " span.quiet { "of " (possible) } } }
}

/// Points, as a bar and as a number.
fn bar(points: u32, possible: u32, or_more: bool) -> Markup {
    html! {
        td.points {
            meter min="0" max=(possible) value=(points) aria-hidden="true" {}
            " " (points)
            @if or_more { (OR_MORE) }
        }
    }
}

/// The groups of submissions that fail the same checks for the same causes. The largest group comes first.
fn groups(best: &[&Report], review: &str) -> Markup {
    let mut alike: BTreeMap<Vec<Failure>, Vec<&Report>> = BTreeMap::new();
    for report in best {
        let failed = failures(report);
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
                        summary {
                            strong { (who.len()) } ": " (failed.iter().map(|one| one.checks).sum::<usize>()) " failed"
                            @if let Some(first) = failed.first() { ", " (first.name) }
                            @if failed.len() > 1 { " …" }
                        }
                        ul { @for one in failed { li { (one.name) ": " (one.details) } } }
                    }
                    p { @for (at, report) in who.iter().enumerate() { @if at > 0 { ", " } (link(report, review)) } }
                }
            }
        }
    }
}

/// A check that failed, or all checks that failed because of one cause.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Failure {
    name: String,
    details: String,
    checks: usize,
}

/// What failed. Causes come first.
fn failures(report: &Report) -> Vec<Failure> {
    let failed = report.checks.iter();
    let failed = failed.filter(|row| row.outcome == Outcome::Failed);
    let (with_cause, others): (Vec<&Judged>, Vec<&Judged>) =
        failed.partition(|row| row.cause.is_some());
    let causes = told_once(with_cause).into_iter().filter_map(|rows| {
        Some(Failure {
            name: cause_of(&rows)?.to_string(),
            details: counted(&rows),
            checks: rows.len(),
        })
    });
    let others = others.into_iter().map(|row| Failure {
        name: row.id.clone(),
        details: row.title.clone(),
        checks: 1,
    });
    causes.chain(others).collect()
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
        div.scroll.of-heat tabindex="0" role="region" aria-label="All verdicts" {
            table.heat {
                thead {
                    tr {
                        th scope="col" { "check" }
                        th scope="col" { "failures" }
                        @for report in best { th.name scope="col" title=(report.submission) { (link(report, review)) } }
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
