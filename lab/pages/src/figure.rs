//! The figure: partitions over time, drawn as SVG. Each mark stands for a row of the table below it.

use std::collections::HashSet;
use std::fmt::Write as _;

use judge::{Deed, What};
use maud::{Markup, html};

use crate::record::{Kind, Mark, Ownership, Record, Run, Track};
use crate::scale::{Scale, Time};
use crate::timeline::told;

/// Units of the drawing.
const WIDTH: f64 = 1120.0;
const GUTTER: f64 = 170.0;
const RIGHT: f64 = 14.0;
const NOTES: f64 = 24.0;
const RUN: f64 = 30.0;
const BAND: f64 = 112.0;
/// The strip at a band's top that says who owns the partition.
const OWNER: f64 = 18.0;
const AXIS: f64 = 36.0;

/// A letter of the figure's small text is about this wide.
const LETTER: f64 = 6.4;

/// How many colours there are for runs.
const COLOURS: usize = 6;

/// Where the lanes lie.
struct Layout<'a> {
    record: &'a Record<'a>,
    time: Time,
    notes: f64,
    runs: f64,
    bands: f64,
    bottom: f64,
}

pub fn figure(record: &Record, id: &str) -> Markup {
    let has_notes = record.rows.iter().any(|row| is_note(&row.moment.what));
    let notes = 4.0;
    let runs = notes + if has_notes { NOTES } else { 0.0 };
    let bands = runs + RUN * count(record.runs.len()) + 6.0;
    let bottom = bands + BAND * count(record.tracks.len());
    let layout = Layout {
        record,
        time: Time::new(
            record.rows.iter().map(|row| row.at),
            (GUTTER, WIDTH - RIGHT),
        ),
        notes,
        runs,
        bands,
        bottom,
    };
    // The first mark of a row is the one that the keyboard stops at.
    let mut stops = HashSet::new();
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {}", bottom + AXIS)) role="group" aria-labelledby=(format!("{id}-title")) {
            title id=(format!("{id}-title")) { (summary(record)) }
            (layout.axis())
            @for (at, (partition, track)) in record.tracks.iter().enumerate() {
                (layout.band(at, &format!("{} {}", partition.topic, partition.partition), track))
            }
            (layout.kills())
            @if has_notes { (layout.notes(&mut stops)) }
            @for (at, run) in record.runs.iter().enumerate() { (layout.run(at, run, &mut stops)) }
            @for (at, track) in record.tracks.values().enumerate() { (layout.marks(at, track, &mut stops)) }
        }
    }
}

/// What the figure shows, in a sentence.
fn summary(record: &Record) -> String {
    let runs: Vec<&str> = record.runs.iter().map(|run| run.name.as_str()).collect();
    format!(
        "{} partitions over {:.1} seconds; runs: {}",
        record.tracks.len(),
        record.seconds,
        if runs.is_empty() {
            "none".to_string()
        } else {
            runs.join("; ")
        }
    )
}

fn is_note(what: &What) -> bool {
    matches!(what, What::Note(_))
}

impl Layout<'_> {
    fn axis(&self) -> Markup {
        html! {
            g.axis aria-hidden="true" {
                @for tick in self.time.ticks() {
                    @let x = self.time.place(tick);
                    line x1=(x) x2=(x) y1=(self.runs) y2=(self.bottom) {}
                    text x=(x) y=(self.bottom + 16.0) text-anchor="middle" { (seconds(tick)) }
                }
                @for (from, to) in self.time.silences() {
                    @let (x, width) = self.span(from, to);
                    rect.silence x=(x) y=(self.runs) width=(width) height=(self.bottom - self.runs) {}
                    text x=(x + width / 2.0) y=(self.bottom + 28.0) text-anchor="middle" {
                        "… " (format!("{:.1}", to - from)) " s …"
                    }
                }
            }
        }
    }

    fn band(&self, at: usize, name: &str, track: &Track) -> Markup {
        let top = self.bands + BAND * count(at);
        let offsets = self.offsets(at, track);
        html! {
            g.band aria-hidden="true" {
                line.edge x1="0" x2=(WIDTH) y1=(top) y2=(top) {}
                text.lane x="4" y=(top + 14.0) { (fit(name, GUTTER - 8.0)) }
                @for tick in offsets.ticks(4).into_iter().filter(|tick| tick.fract() == 0.0) {
                    text.offset x=(GUTTER - 6.0) y=(offsets.place(tick) + 4.0) text-anchor="end" { (tick) }
                    line.level x1=(GUTTER) x2=(WIDTH - RIGHT) y1=(offsets.place(tick)) y2=(offsets.place(tick)) {}
                }
                (self.owners(top, track))
                (self.committed(&offsets, track))
            }
        }
    }

    /// The places of offsets in a band: the lowest at its bottom.
    fn offsets(&self, at: usize, track: &Track) -> Scale {
        let top = self.bands + BAND * count(at);
        let (low, high) = track.offsets();
        Scale::new(
            (whole(low), whole(high.max(low.saturating_add(1)))),
            (top + BAND - 8.0, top + OWNER + 12.0),
        )
    }

    fn owners(&self, top: f64, track: &Track) -> Markup {
        let mut free_from = None;
        html! {
            @for owner in &track.owners {
                @if let Some(gap) = free_from.filter(|gap| *gap < owner.from) {
                    (self.nobody(top, gap, owner.from))
                }
                (self.owner(top, owner))
                ({ free_from = owner.to; "" })
            }
            @if let Some(gap) = free_from { (self.nobody(top, gap, self.record.seconds)) }
        }
    }

    fn nobody(&self, top: f64, from: f64, to: f64) -> Markup {
        let (x, width) = self.span(from, to);
        html! {
            rect.nobody x=(x) y=(top + 2.0) width=(width) height=(OWNER - 4.0) {}
            @if width > 8.0 * LETTER {
                text.small x=(x + width / 2.0) y=(top + 13.0) text-anchor="middle" { "nobody" }
            }
        }
    }

    fn owner(&self, top: f64, owner: &Ownership) -> Markup {
        let to = owner.to.unwrap_or(self.record.seconds);
        let (x, width) = self.span(owner.from, to);
        let run = owner.run.map(|run| &self.record.runs[run]);
        let name = run.map_or(owner.who.as_str(), |run| run.name.as_str());
        let dead = run.and_then(|run| run.to).filter(|end| *end < to);
        html! {
            rect class=(colour(owner.run)) x=(x) y=(top + 1.0) width=(width) height=(OWNER - 2.0) rx="3" {}
            @if let Some(dead) = dead {
                @let (x, width) = self.span(dead.max(owner.from), to);
                rect.dead x=(x) y=(top + 1.0) width=(width) height=(OWNER - 2.0) {}
                @if width > 20.0 * LETTER {
                    text.small x=(x + width / 2.0) y=(top + 13.0) text-anchor="middle" { "dead, still the owner" }
                }
            }
            @let room = dead.map_or(width, |dead| self.span(owner.from, dead).1);
            @if room > 4.0 * LETTER {
                text.small x=(x + 5.0) y=(top + 13.0) { (fit(name, room - 8.0)) }
            }
        }
    }

    fn span(&self, from: f64, to: f64) -> (f64, f64) {
        let (x, end) = (self.time.place(from), self.time.place(to));
        (x, (end - x).max(1.0))
    }

    /// The line on which the group would go on.
    fn committed(&self, offsets: &Scale, track: &Track) -> Markup {
        let mut path = String::new();
        for (at, offset) in &track.committed {
            let (x, y) = (self.time.place(*at), offsets.place(whole(*offset)));
            // Writing to a string cannot fail.
            let _ = if path.is_empty() {
                write!(path, "M{x} {y}")
            } else {
                write!(path, "H{x}V{y}")
            };
        }
        html! {
            @if !path.is_empty() {
                path.committed d=(format!("{path}H{}", self.time.place(self.record.seconds))) {}
            }
        }
    }

    fn kills(&self) -> Markup {
        html! {
            @for run in &self.record.runs {
                @if let Some(killed) = run.killed {
                    @let x = self.time.place(killed);
                    line.kill aria-hidden="true" x1=(x) x2=(x) y1=(self.runs) y2=(self.bottom) {}
                }
            }
        }
    }

    fn notes(&self, stops: &mut HashSet<usize>) -> Markup {
        let y = self.notes + NOTES / 2.0;
        html! {
            text.lane x="4" y=(y + 4.0) aria-hidden="true" { "what was done" }
            @for (row, found) in self.record.rows.iter().enumerate() {
                @if is_note(&found.moment.what) {
                    @let x = self.time.place(found.at);
                    (self.mark(row, "note", stops, &html! {
                        path d=(format!("M{} {}h10l-5 9z", x - 5.0, y - 5.0)) {}
                    }))
                }
            }
        }
    }

    fn run(&self, at: usize, run: &Run, stops: &mut HashSet<usize>) -> Markup {
        let middle = self.runs + RUN * (count(at) + 0.5);
        let (x, width) = self.span(run.from, run.to.unwrap_or(self.record.seconds));
        html! {
            g aria-hidden="true" {
                text.lane x="4" y=(middle + 4.0) { (fit(&run.name, GUTTER - 8.0)) }
                rect class=(colour(Some(at))) x=(x) y=(middle - 9.0) width=(width) height="18" rx="3" {}
            }
            @for row in &run.rows { (self.beside_run(*row, middle, stops)) }
        }
    }

    fn beside_run(&self, row: usize, y: f64, stops: &mut HashSet<usize>) -> Markup {
        let found = &self.record.rows[row];
        let x = self.time.place(found.at);
        let (class, shape) = match &found.moment.what {
            What::Deed(Deed::Killed) => (
                "deed killed",
                format!("M{} {}l10 10m0 -10l-10 10", x - 5.0, y - 5.0),
            ),
            What::Deed(Deed::Interrupted) => {
                ("deed", format!("M{x} {}v18m-4 -4l4 4l4 -4", y - 9.0))
            }
            What::Deed(_) => ("deed", format!("M{x} {}v22", y - 11.0)),
            What::Err(_) => ("line err", format!("M{x} {}v5m0 3v2", y - 5.0)),
            What::Request { .. } => ("member", format!("M{} {}h7v7h-7z", x - 3.5, y - 3.5)),
            _ => ("line", format!("M{x} {}v10", y - 5.0)),
        };
        self.mark(row, class, stops, &html! { path d=(shape) {} })
    }

    fn marks(&self, at: usize, track: &Track, stops: &mut HashSet<usize>) -> Markup {
        let offsets = self.offsets(at, track);
        html! { @for mark in &track.marks { (self.at_offset(mark, &offsets, stops)) } }
    }

    fn at_offset(&self, mark: &Mark, offsets: &Scale, stops: &mut HashSet<usize>) -> Markup {
        let x = self.time.place(self.record.rows[mark.row].at);
        let y = offsets.place(whole(mark.offset));
        let (class, shape) = match mark.kind {
            Kind::Reads { end, again } => (
                "reads",
                html! {
                    @if end > mark.offset { line x1=(x) x2=(x) y1=(y) y2=(offsets.place(whole(end))) {} }
                    @if again > mark.offset {
                        line.again x1=(x) x2=(x) y1=(y) y2=(offsets.place(whole(again))) {}
                    }
                    path d=(format!("M{x} {}l8 5l-8 5z", y - 5.0)) {}
                },
            ),
            Kind::Commits => (
                "commits",
                html! { path d=(format!("M{x} {}l5 5l-5 5l-5 -5z", y - 5.0)) {} },
            ),
            Kind::Writes => (
                "writes",
                html! { path d=(format!("M{} {y}h9m-4.5 -4.5v9", x - 4.5)) {} },
            ),
            Kind::Processed { again: true } => {
                ("processed again", html! { circle cx=(x) cy=(y) r="4" {} })
            }
            Kind::Processed { again: false } | Kind::Delivered => {
                ("processed", html! { circle cx=(x) cy=(y) r="2.2" {} })
            }
        };
        self.mark(mark.row, class, stops, &shape)
    }

    /// A mark that can be pointed at, and that the keyboard stops at if it is its row's first.
    fn mark(&self, row: usize, class: &str, stops: &mut HashSet<usize>, shape: &Markup) -> Markup {
        let stops_here = stops.insert(row);
        let text = told(&self.record.rows[row]);
        html! {
            @if stops_here {
                g class={ "mark " (class) } data-row=(row) role="img" tabindex="-1" aria-label=(text) {
                    title { (text) }
                    (shape)
                }
            } @else {
                g class={ "mark " (class) } data-row=(row) aria-hidden="true" { (shape) }
            }
        }
    }
}

fn colour(run: Option<usize>) -> String {
    match run {
        Some(run) => format!("run run{}", run % COLOURS),
        None => "run".to_string(),
    }
}

/// As much of a text as fits.
fn fit(text: &str, width: f64) -> String {
    let mut room = width / LETTER;
    let fits = |_: &char| {
        room -= 1.0;
        room >= 0.0
    };
    let head: String = text.chars().take_while(fits).collect();
    if head.len() == text.len() {
        return head;
    }
    let mut chars = head.chars();
    chars.next_back();
    let shorter = chars.as_str();
    if shorter.is_empty() {
        String::new()
    } else {
        format!("{shorter}…")
    }
}

fn seconds(tick: f64) -> String {
    let text = format!("{tick:.3}");
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Places are small: nothing is lost.
#[expect(clippy::cast_precision_loss)]
fn count(number: usize) -> f64 {
    number as f64
}

/// Offsets beyond 2^53 would be drawn a little off.
#[expect(clippy::cast_precision_loss)]
fn whole(offset: i64) -> f64 {
    offset as f64
}
