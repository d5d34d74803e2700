//! The figure: partitions over time, drawn as SVG. Each mark stands for a row of the table below the figure.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::time::Duration;

use judge::reconstruction::{
    Mark, MarkKind, Ownership, PartitionHistory, PartitionName, ProgramRun, Reconstruction,
};
use judge::{Deed, Happening};
use maud::{Markup, html};

use crate::scale::{Scale, Time};

// All lengths are in the units of the drawing.

/// The width of the whole figure.
const WIDTH: f64 = 1120.0;
/// The width of the names at the left.
const GUTTER: f64 = 170.0;
/// The margin at the right.
const RIGHT: f64 = 14.0;
/// The height of the lane that shows what was done.
const NOTES: f64 = 24.0;
/// The height of a run's lane.
const RUN: f64 = 30.0;
/// The height of a partition's lane.
const BAND: f64 = 112.0;
/// The height of the strip at the top of a partition's lane that says who owns the partition.
const OWNER: f64 = 18.0;
/// The height of the time axis.
const AXIS: f64 = 36.0;

/// The approximate width of a letter of the figure's small text.
const LETTER: f64 = 6.4;

/// How many colors there are for runs.
const COLORS: usize = 6;

/// The places of the lanes: how far each kind begins below the top of the figure.
struct Layout<'a> {
    seen: &'a Reconstruction<'a>,
    time: Time,
    notes: f64,
    runs: f64,
    bands: f64,
    bottom: f64,
}

/// The figure. The id must be unique on the page.
pub fn figure(seen: &Reconstruction, id: &str) -> Markup {
    let has_notes = seen.entries.iter().any(|one| is_note(&one.moment.what));
    let notes = 4.0;
    let runs = notes + if has_notes { NOTES } else { 0.0 };
    let bands = runs + RUN * count(seen.runs.len()) + 6.0;
    let bottom = bands + BAND * count(seen.partitions.len());
    let times = seen.entries.iter().map(|entry| entry.at.as_secs_f64());
    let layout = Layout {
        seen,
        time: Time::new(times, (GUTTER, WIDTH - RIGHT)),
        notes,
        runs,
        bands,
        bottom,
    };
    // The keyboard stops at the first mark of each entry.
    let mut stops = HashSet::new();
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {}", bottom + AXIS)) role="group" aria-labelledby=(format!("{id}-title")) {
            title id=(format!("{id}-title")) { (summary(seen)) }
            (layout.axis())
            @for (at, (name, partition)) in seen.partitions.iter().enumerate() {
                (layout.band(at, name, partition))
            }
            (layout.kills())
            @if has_notes { (layout.notes(&mut stops)) }
            @for (at, run) in seen.runs.iter().enumerate() { (layout.run(at, run, &mut stops)) }
            @for (at, partition) in seen.partitions.values().enumerate() {
                (layout.marks(at, partition, &mut stops))
            }
        }
    }
}

/// What the figure shows, in words.
fn summary(seen: &Reconstruction) -> String {
    let runs: Vec<&str> = seen.runs.iter().map(|run| run.name.as_str()).collect();
    let runs = if runs.is_empty() {
        "none".to_string()
    } else {
        runs.join("; ")
    };
    let partitions = match seen.partitions.len() {
        1 => "1 partition".to_string(),
        count => format!("{count} partitions"),
    };
    let seconds = seen.duration.as_secs_f64();
    format!("{partitions} over {seconds:.1} seconds; runs: {runs}")
}

fn is_note(what: &Happening) -> bool {
    matches!(what, Happening::Note(_))
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
                    @let (x, width) = self.span_of_seconds(from, to);
                    rect.silence x=(x) y=(self.runs) width=(width) height=(self.bottom - self.runs) {}
                    text x=(x + width / 2.0) y=(self.bottom + 28.0) text-anchor="middle" {
                        "… " (format!("{:.1}", to - from)) " s …"
                    }
                }
            }
        }
    }

    /// The lane of a partition, without its marks.
    fn band(&self, at: usize, name: &PartitionName, partition: &PartitionHistory) -> Markup {
        let top = self.bands + BAND * count(at);
        let offsets = self.offsets(at, partition);
        html! {
            g.band aria-hidden="true" {
                line.edge x1="0" x2=(WIDTH) y1=(top) y2=(top) {}
                text.lane x="4" y=(top + 14.0) { (fit(&name.to_string(), GUTTER - 8.0)) }
                @for tick in offsets.ticks(4).into_iter().filter(|tick| tick.fract() == 0.0) {
                    text.offset x=(GUTTER - 6.0) y=(offsets.place(tick) + 4.0) text-anchor="end" { (tick) }
                    line.level x1=(GUTTER) x2=(WIDTH - RIGHT) y1=(offsets.place(tick)) y2=(offsets.place(tick)) {}
                }
                (self.owners(top, partition))
                (self.committed(&offsets, partition))
            }
        }
    }

    /// The places of offsets in a partition's lane. The lowest offset is at the bottom.
    fn offsets(&self, at: usize, partition: &PartitionHistory) -> Scale {
        let top = self.bands + BAND * count(at);
        let (low, high) = partition.offsets();
        Scale::new(
            (whole(low), whole(high.max(low.saturating_add(1)))),
            (top + BAND - 8.0, top + OWNER + 12.0),
        )
    }

    fn owners(&self, top: f64, partition: &PartitionHistory) -> Markup {
        let mut free_from = None;
        html! {
            @for owner in &partition.owners {
                @if let Some(gap) = free_from.filter(|gap| *gap < owner.from) {
                    (self.nobody(top, gap, owner.from))
                }
                (self.owner(top, owner))
                ({ free_from = owner.to; "" })
            }
            @if let Some(gap) = free_from { (self.nobody(top, gap, self.seen.duration)) }
        }
    }

    fn nobody(&self, top: f64, from: Duration, to: Duration) -> Markup {
        let (x, width) = self.span(from, to);
        html! {
            rect.nobody x=(x) y=(top + 2.0) width=(width) height=(OWNER - 4.0) {}
            @if width > 8.0 * LETTER {
                text.small x=(x + width / 2.0) y=(top + 13.0) text-anchor="middle" { "nobody" }
            }
        }
    }

    fn owner(&self, top: f64, owner: &Ownership) -> Markup {
        let to = owner.to.unwrap_or(self.seen.duration);
        let (x, width) = self.span(owner.from, to);
        let run = owner.run.map(|run| &self.seen.runs[run]);
        let name = run.map_or(owner.client.as_str(), |run| run.name.as_str());
        let dead = self.seen.ended_as_owner(owner);
        html! {
            rect class=(color(owner.run)) x=(x) y=(top + 1.0) width=(width) height=(OWNER - 2.0) rx="3" {}
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

    fn place(&self, at: Duration) -> f64 {
        self.time.place(at.as_secs_f64())
    }

    /// The place at which a stretch of time begins, and its width.
    fn span(&self, from: Duration, to: Duration) -> (f64, f64) {
        self.span_of_seconds(from.as_secs_f64(), to.as_secs_f64())
    }

    fn span_of_seconds(&self, from: f64, to: f64) -> (f64, f64) {
        let (x, end) = (self.time.place(from), self.time.place(to));
        (x, (end - x).max(1.0))
    }

    /// The line of the committed offset.
    fn committed(&self, offsets: &Scale, partition: &PartitionHistory) -> Markup {
        let mut path = String::new();
        for (at, offset) in &partition.committed {
            let (x, y) = (self.place(*at), offsets.place(whole(*offset)));
            // Writing to a string cannot fail.
            let _ = if path.is_empty() {
                write!(path, "M{x} {y}")
            } else {
                write!(path, "H{x}V{y}")
            };
        }
        html! {
            @if !path.is_empty() {
                path.committed d=(format!("{path}H{}", self.place(self.seen.duration))) {}
            }
        }
    }

    fn kills(&self) -> Markup {
        html! {
            @for run in &self.seen.runs {
                @if let Some(killed) = run.killed {
                    @let x = self.place(killed);
                    line.kill aria-hidden="true" x1=(x) x2=(x) y1=(self.runs) y2=(self.bottom) {}
                }
            }
        }
    }

    fn notes(&self, stops: &mut HashSet<usize>) -> Markup {
        let y = self.notes + NOTES / 2.0;
        html! {
            text.lane x="4" y=(y + 4.0) aria-hidden="true" { "what was done" }
            @for (at, entry) in self.seen.entries.iter().enumerate() {
                @if is_note(&entry.moment.what) {
                    @let x = self.place(entry.at);
                    (self.mark(at, "note", stops, &html! {
                        path d=(format!("M{} {}h10l-5 9z", x - 5.0, y - 5.0)) {}
                    }))
                }
            }
        }
    }

    fn run(&self, at: usize, run: &ProgramRun, stops: &mut HashSet<usize>) -> Markup {
        let middle = self.runs + RUN * (count(at) + 0.5);
        let (x, width) = self.span(run.from, run.to.unwrap_or(self.seen.duration));
        html! {
            g aria-hidden="true" {
                text.lane x="4" y=(middle + 4.0) { (fit(&run.name, GUTTER - 8.0)) }
                rect class=(color(Some(at))) x=(x) y=(middle - 9.0) width=(width) height="18" rx="3" {}
            }
            @for entry in &run.entries { (self.in_run(*entry, middle, stops)) }
        }
    }

    /// The mark of an entry in the lane of its run.
    fn in_run(&self, at: usize, y: f64, stops: &mut HashSet<usize>) -> Markup {
        let entry = &self.seen.entries[at];
        let x = self.place(entry.at);
        let (class, shape) = match &entry.moment.what {
            Happening::Deed(Deed::Killed) => (
                "deed killed",
                format!("M{} {}l10 10m0 -10l-10 10", x - 5.0, y - 5.0),
            ),
            Happening::Deed(Deed::Interrupted) => {
                ("deed", format!("M{x} {}v18m-4 -4l4 4l4 -4", y - 9.0))
            }
            Happening::Deed(_) => ("deed", format!("M{x} {}v22", y - 11.0)),
            Happening::Err(_) => ("line err", format!("M{x} {}v5m0 3v2", y - 5.0)),
            Happening::Request { .. } => ("member", format!("M{} {}h7v7h-7z", x - 3.5, y - 3.5)),
            _ => ("line", format!("M{x} {}v10", y - 5.0)),
        };
        self.mark(at, class, stops, &html! { path d=(shape) {} })
    }

    fn marks(&self, at: usize, partition: &PartitionHistory, stops: &mut HashSet<usize>) -> Markup {
        let offsets = self.offsets(at, partition);
        html! { @for mark in &partition.marks { (self.at_offset(mark, &offsets, stops)) } }
    }

    fn at_offset(&self, mark: &Mark, offsets: &Scale, stops: &mut HashSet<usize>) -> Markup {
        let x = self.place(self.seen.entries[mark.entry].at);
        let y = offsets.place(whole(mark.offset));
        let (class, shape) = match mark.kind {
            MarkKind::Reads { end, again } => (
                "reads",
                html! {
                    @if end > mark.offset { line x1=(x) x2=(x) y1=(y) y2=(offsets.place(whole(end))) {} }
                    @if again > mark.offset {
                        line.again x1=(x) x2=(x) y1=(y) y2=(offsets.place(whole(again))) {}
                    }
                    path d=(format!("M{x} {}l8 5l-8 5z", y - 5.0)) {}
                },
            ),
            MarkKind::Commits => (
                "commits",
                html! { path d=(format!("M{x} {}l5 5l-5 5l-5 -5z", y - 5.0)) {} },
            ),
            MarkKind::Writes => (
                "writes",
                html! { path d=(format!("M{} {y}h9m-4.5 -4.5v9", x - 4.5)) {} },
            ),
            MarkKind::Processed { again: true } => {
                ("processed again", html! { circle cx=(x) cy=(y) r="4" {} })
            }
            MarkKind::Processed { again: false } | MarkKind::Delivered => {
                ("processed", html! { circle cx=(x) cy=(y) r="2.2" {} })
            }
        };
        self.mark(mark.entry, class, stops, &shape)
    }

    /// A mark that a reader can point at. If it is the first mark of its entry, the keyboard stops at it.
    fn mark(&self, at: usize, class: &str, stops: &mut HashSet<usize>, shape: &Markup) -> Markup {
        let stops_here = stops.insert(at);
        let text = self.seen.entries[at].in_words();
        html! {
            @if stops_here {
                g class={ "mark " (class) } data-row=(at) role="img" tabindex="-1" aria-label=(text) {
                    title { (text) }
                    (shape)
                }
            } @else {
                g class={ "mark " (class) } data-row=(at) aria-hidden="true" { (shape) }
            }
        }
    }
}

/// The classes of a bar in the color of a run.
fn color(run: Option<usize>) -> String {
    match run {
        Some(run) => format!("run run{}", run % COLORS),
        None => "run".to_string(),
    }
}

/// As much of a text as fits into this width.
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

/// A number of lanes. It is small, so the conversion is exact.
#[expect(clippy::cast_precision_loss)]
fn count(number: usize) -> f64 {
    number as f64
}

/// An offset. The conversion is exact up to 2^53.
#[expect(clippy::cast_precision_loss)]
fn whole(offset: i64) -> f64 {
    offset as f64
}
