//! The timeline: a figure of what happened, what each mark means, and the same as a table.

use judge::{Deed, Moment, What};
use maud::{Markup, html};

use crate::figure::figure;
use crate::page::page;
use crate::record::{Kind, Mark, Record, Row};

/// A stretch of what happened, and what was found out from it.
#[derive(Debug, Default)]
pub struct Chapter {
    pub title: String,
    pub findings: Vec<String>,
    pub moments: Vec<Moment>,
}

/// A page with a timeline for each chapter.
pub fn timeline_page(title: &str, words: &[String], chapters: &[Chapter]) -> String {
    let body = html! {
        header {
            h1 { (title) }
            @for paragraph in words { p { (paragraph) } }
        }
        @for (at, chapter) in chapters.iter().enumerate() {
            section {
                h2 { (chapter.title) }
                ul.findings { @for finding in &chapter.findings { li { (finding) } } }
                (timeline(&chapter.moments, &format!("timeline-{at}"), &chapter.title))
            }
        }
    };
    page(title, &body)
}

/// A figure with its table, by an id that is its own on the page, and what it is about.
pub fn timeline(moments: &[Moment], id: &str, about: &str) -> Markup {
    let record = Record::of(moments);
    if record.rows.is_empty() {
        return html! { p.quiet { "Nothing was recorded." } };
    }
    html! {
        figure.timeline {
            div.scroll tabindex="0" role="region" aria-label={ "Timeline: " (about) } { (figure(&record, id)) }
            figcaption { (legend(&record)) }
            div.explained aria-live="polite" {
                "Point at a mark, or press Tab to come to the first one and the arrow keys to go on."
            }
            (table(&record, id, about))
        }
    }
}

fn legend(record: &Record) -> Markup {
    let marks = record.tracks.values().flat_map(|track| &track.marks);
    let has = |kind: fn(&Mark) -> bool| marks.clone().any(kind);
    let owners = || record.tracks.values().flat_map(|track| &track.owners);
    let entries = [
        (
            has(|mark| mark.kind == Kind::Commits),
            "commits",
            "M8 3l5 5l-5 5l-5 -5z",
            "committed: the group goes on there",
        ),
        (
            has(|mark| matches!(mark.kind, Kind::Reads { .. })),
            "reads",
            "M5 3l8 5l-8 5z",
            "a member begins to read; the line ends where the partition does",
        ),
        (
            has(|mark| matches!(mark.kind, Kind::Reads { again, .. } if again > mark.offset)),
            "reads sent",
            "M8 1v14",
            "sent again",
        ),
        (
            has(|mark| matches!(mark.kind, Kind::Processed { .. } | Kind::Delivered)),
            "processed",
            "M8 5.5a2.5 2.5 0 1 0 .01 0z",
            "a program printed this position",
        ),
        (
            has(|mark| mark.kind == Kind::Processed { again: true }),
            "processed again",
            "M8 4a4 4 0 1 0 .01 0z",
            "and a program had printed it before",
        ),
        (
            has(|mark| mark.kind == Kind::Writes),
            "writes",
            "M3 8h10M8 3v10",
            "records were written from here on",
        ),
        (
            record.runs.iter().any(|run| run.killed.is_some()),
            "deed killed",
            "M3 3l10 10m0 -10l-10 10",
            "kill -9",
        ),
        (
            owners().any(|owner| record.is_dead(owner)),
            "dead",
            "M1 3h14v10h-14z",
            "dead, and still the owner until its session times out",
        ),
        (
            owners().any(|owner| owner.to.is_some()),
            "nobody",
            "M1 3h14v10h-14z",
            "nobody owns it",
        ),
    ];
    html! {
        ul.legend {
            @for (_, class, shape, text) in entries.iter().filter(|(there, ..)| *there) {
                li {
                    svg viewBox="0 0 16 16" aria-hidden="true" { g class={ "mark " (class) } { path class=(class) d=(shape) {} } }
                    (text)
                }
            }
        }
    }
}

fn table(record: &Record, id: &str, about: &str) -> Markup {
    html! {
        details.rows {
            summary { "All " (record.rows.len()) " entries as a table" }
            @if record.left_out > 0 {
                p { (record.left_out) " more, in the middle, are left out." }
            }
            div.scroll tabindex="0" role="region" aria-label={ "Table: " (about) } {
                table {
                    thead { tr { th scope="col" { "time" } th scope="col" { "what happened" } } }
                    tbody {
                        @for (at, row) in record.rows.iter().enumerate() {
                            tr id=(format!("{id}-{at}")) {
                                td.time { (format!("{:.3} s", row.at)) }
                                td { (explained(row)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A row, with the request as the broker logged it.
fn explained(row: &Row) -> Markup {
    html! {
        span.told { (told(row)) }
        @if let What::Request { logged, .. } = &row.moment.what {
            details { summary { "the request, as the broker logged it" } pre tabindex="0" { (pretty(logged)) } }
        }
    }
}

fn pretty(logged: &serde_json::Value) -> String {
    serde_json::to_string_pretty(logged).unwrap_or_default()
}

/// A row in a sentence.
pub fn told(row: &Row) -> String {
    let who = &row.moment.who;
    let said = match &row.moment.what {
        What::Deed(Deed::Started) => format!("{who} is started."),
        What::Deed(Deed::Interrupted) => format!("Ctrl-C for {who}."),
        What::Deed(Deed::Killed) => format!("kill -9 for {who}: it cannot say goodbye."),
        What::Deed(Deed::Ended(status)) => format!("{who} has ended, {status}."),
        What::Out(line) => format!("{who} printed: {line}"),
        What::Err(line) => format!("{who} printed as an error: {line}"),
        What::Request { said, .. } => format!("{who} {said}."),
        What::Note(note) => note.trim().to_string(),
    };
    if row.remark.is_empty() {
        said
    } else {
        format!("{said} {}", row.remark.trim())
    }
}
