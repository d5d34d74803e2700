//! The timeline: a figure of what happened, a legend, and the same as a table.

use judge::reconstruction::{Entry, Mark, MarkKind, Reconstruction};
use judge::{Happening, Moment};
use maud::{Markup, html};

use crate::figure::figure;
use crate::page::page;

/// A part of a page: what happened, and what it showed.
#[derive(Debug, Default)]
pub struct Chapter {
    pub title: String,
    pub findings: Vec<String>,
    pub moments: Vec<Moment>,
}

/// A page with a timeline for each chapter. The introduction has one paragraph for each text.
pub fn timeline_page(title: &str, introduction: &[String], chapters: &[Chapter]) -> String {
    let body = html! {
        header {
            h1 { (title) }
            @for paragraph in introduction { p { (paragraph) } }
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

/// A figure with its table. The id must be unique on the page; `about` says to a screen reader what the figure shows.
pub fn timeline(moments: &[Moment], id: &str, about: &str) -> Markup {
    let seen = Reconstruction::of(moments);
    if seen.entries.is_empty() {
        return html! { p.quiet { "Nothing was recorded." } };
    }
    html! {
        figure.timeline {
            div.scroll tabindex="0" role="region" aria-label={ "Timeline: " (about) } { (figure(&seen, id)) }
            figcaption { (legend(&seen)) }
            div.explained aria-live="polite" {
                "Point at a mark to see what it stands for. Or press Tab to reach the first mark, and the arrow keys to reach the \
                 others."
            }
            (table(&seen, id, about))
        }
    }
}

/// The meaning of each kind of mark in the figure.
fn legend(seen: &Reconstruction) -> Markup {
    let partitions = || seen.partitions.values();
    let has = |kind: fn(&Mark) -> bool| partitions().flat_map(|one| &one.marks).any(kind);
    let owners = || partitions().flat_map(|one| &one.owners);
    let entries = [
        (
            has(|mark| mark.kind == MarkKind::Commits),
            "commits",
            "M8 3l5 5l-5 5l-5 -5z",
            "committed offset: the group continues here",
        ),
        (
            has(|mark| matches!(mark.kind, MarkKind::Reads { .. })),
            "reads",
            "M5 3l8 5l-8 5z",
            "a member starts reading here; the line ends at the end of the partition",
        ),
        (
            has(|mark| matches!(mark.kind, MarkKind::Reads { again, .. } if again > mark.offset)),
            "reads sent",
            "M8 1v14",
            "these records are sent again",
        ),
        (
            has(|mark| matches!(mark.kind, MarkKind::Processed { .. } | MarkKind::Delivered)),
            "processed",
            "M8 5.5a2.5 2.5 0 1 0 .01 0z",
            "a program printed this position",
        ),
        (
            has(|mark| mark.kind == MarkKind::Processed { again: true }),
            "processed again",
            "M8 4a4 4 0 1 0 .01 0z",
            "a program printed this position again",
        ),
        (
            has(|mark| mark.kind == MarkKind::Writes),
            "writes",
            "M3 8h10M8 3v10",
            "records are written from this offset on",
        ),
        (
            seen.runs.iter().any(|run| run.killed.is_some()),
            "deed killed",
            "M3 3l10 10m0 -10l-10 10",
            "killed (kill -9)",
        ),
        (
            owners().any(|owner| seen.ended_as_owner(owner).is_some()),
            "dead",
            "M1 3h14v10h-14z",
            "dead, but still the owner until its session times out",
        ),
        (
            owners().any(|owner| owner.to.is_some()),
            "nobody",
            "M1 3h14v10h-14z",
            "nobody owns the partition",
        ),
    ];
    html! {
        ul.legend {
            @for (_, class, shape, text) in entries.iter().filter(|(is_used, ..)| *is_used) {
                li {
                    svg viewBox="0 0 16 16" aria-hidden="true" { g class={ "mark " (class) } { path class=(class) d=(shape) {} } }
                    (text)
                }
            }
        }
    }
}

/// All entries, with the requests as the broker logged them.
fn table(seen: &Reconstruction, id: &str, about: &str) -> Markup {
    html! {
        details.rows {
            summary { "All " (seen.entries.len()) " entries as a table" }
            @if seen.left_out > 0 {
                p { "In the middle, " (seen.left_out) " more entries are left out." }
            }
            div.scroll tabindex="0" role="region" aria-label={ "Table: " (about) } {
                table {
                    thead { tr { th scope="col" { "time" } th scope="col" { "what happened" } } }
                    tbody {
                        @for (at, entry) in seen.entries.iter().enumerate() {
                            tr id=(format!("{id}-{at}")) {
                                td.time { (format!("{:.3} s", entry.at.as_secs_f64())) }
                                td { (explained(entry)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// An entry in words, with the request if it is one.
fn explained(entry: &Entry) -> Markup {
    html! {
        span.words { (entry.in_words()) }
        @if let Happening::Request { logged, .. } = &entry.moment.what {
            details {
                summary { "The request as the broker logged it" }
                pre tabindex="0" { (logged.to_json()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use cluster::TopicPartition;
    use judge::{Effect, Logged};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_partition_that_is_read_again_has_the_name_that_readers_know() {
        let at = SystemTime::now();
        let partition = TopicPartition {
            topic: "clickstream".to_string(),
            partition: 0,
        };
        let reads = Moment {
            at,
            who: "consumer".to_string(),
            run: None,
            what: Happening::Request {
                sentence: "fetched p0 from 0".to_string(),
                effects: vec![Effect::Reads {
                    partition,
                    from: 0,
                    end: 10,
                }],
                logged: Logged::new(at, Arc::new(json!({}))),
            },
        };
        let page = timeline(&[reads.clone(), reads], "id", "a test").into_string();
        assert!(
            page.contains("offsets 0 to 9 of partition 0 are sent again"),
            "{page}"
        );
        assert!(!page.contains("TopicPartition"), "{page}");
    }
}
