//! A box for each reason that several checks share, such as a program that does not compile.

use judge::{Judged, Outcome, Report, cause_of, counted, told_once};
use maud::{Markup, html};

use crate::verdict_in_words::{parts, sign};

/// The reasons of a report that are told in boxes, and the checks that share each of them.
pub struct Reasons<'a>(Vec<Vec<&'a Judged>>);

impl<'a> Reasons<'a> {
    pub fn of(report: &'a Report) -> Self {
        let rows = report.checks.iter().filter(|row| !row.passed());
        let mut together = told_once(rows);
        together.retain(|rows| rows.len() > 1 || rows[0].cause.is_some());
        Self(together)
    }

    /// Is the reason of this check told in a box?
    pub fn tell(&self, row: &Judged) -> bool {
        self.0.iter().flatten().any(|told| told.id == row.id)
    }

    /// The boxes.
    pub fn boxes(&self) -> Markup {
        html! {
            @for (at, rows) in self.0.iter().enumerate() {
                @let points: u32 = rows.iter().map(|row| row.max_points).sum();
                article.verdict.reason.(class(rows)) id=(id(at)) {
                    h3 { span.sign { (sign(rows[0].outcome).0) " " } (heading(rows)) }
                    (parts(rows[0]))
                    details {
                        summary { (counted(rows)) ": 0 of " (points) " points" }
                        ul { @for row in rows { li { (row.title) " · " code { (row.id) } } } }
                    }
                }
            }
        }
    }

    /// A list item for each reason that checks among these share, with a link to its box.
    pub fn links(&self, rows: &[&Judged]) -> Markup {
        html! {
            @for (at, told) in self.0.iter().enumerate() {
                @let here = rows.iter().filter(|row| told.iter().any(|told| told.id == row.id)).count();
                @if here > 0 {
                    li {
                        (sign(told[0].outcome).0) " " (here) @if here == 1 { " check: " } @else { " checks: " }
                        a href=(format!("#{}", id(at))) { (heading(told)) }
                    }
                }
            }
        }
    }
}

fn id(at: usize) -> String {
    format!("reason-{}", at + 1)
}

fn class(rows: &[&Judged]) -> String {
    sign(rows[0].outcome).1.replace(' ', "-")
}

fn heading(rows: &[&Judged]) -> Markup {
    html! {
        @match cause_of(rows) {
            Some(cause) => (cause),
            None if rows[0].outcome == Outcome::NotJudged => "not judged, which is not the submission's fault",
            None => { (rows.len()) " checks failed for the same reason" },
        }
    }
}
