//! Moments as a short table for a terminal: what the broker saw, next to what the programs printed.

use std::collections::BTreeMap;

use crate::history::{Happening, Moment};
use cluster::{printable, table};

/// Up to this many moments of a kind in a row are all shown. Of more, only the first and the last are shown.
const ALL_SHOWN: usize = 3;

/// A table with more rows than this is cut in the middle.
const MOST_ROWS: usize = 40;

/// A printed line with more characters than this is cut at its end.
const MOST_CHARS: usize = 60;

/// The table; empty if there are no moments.
pub fn timeline(moments: &[Moment]) -> String {
    let Some(start) = moments.first().map(|moment| moment.at) else {
        return String::new();
    };
    let mut rows: Vec<[String; 3]> = thinned(moments)
        .into_iter()
        .map(|(moment, more)| {
            let seconds = moment.at.duration_since(start).unwrap_or_default();
            let mut text = cell(moment);
            if more > 0 {
                text += &format!("  (the last of {})", more + 1);
            }
            let time = format!("{:.2} s", seconds.as_secs_f32());
            if is_printed(&moment.what) {
                [time, String::new(), text]
            } else {
                [time, text, String::new()]
            }
        })
        .collect();
    if rows.len() > MOST_ROWS {
        let cut = rows.len() - MOST_ROWS;
        let note = [String::new(), format!("… {cut} more rows"), String::new()];
        rows.splice(MOST_ROWS / 2..MOST_ROWS / 2 + cut, [note]);
    }
    table(
        &["time", "what the broker saw", "what the program printed"],
        &[0],
        rows,
    )
}

fn is_printed(what: &Happening) -> bool {
    matches!(what, Happening::Out(_) | Happening::Err(_))
}

/// A moment as a cell of the table. A dash marks what did not go through the broker.
fn cell(moment: &Moment) -> String {
    match &moment.what {
        Happening::Out(line) => shortened(line),
        Happening::Err(line) => format!("(stderr) {}", shortened(line)),
        Happening::Request { .. } => moment.in_words(),
        Happening::Deed(_) | Happening::Note(_) => format!("── {}", moment.in_words()),
    }
}

fn shortened(line: &str) -> String {
    let line = printable(line);
    let mut chars = line.chars();
    let head: String = chars.by_ref().take(MOST_CHARS).collect();
    if chars.next().is_some() {
        head + "…"
    } else {
        head
    }
}

/// The moments to show, and for each how many moments of its kind before it are left out. Moments of a kind are thinned out
/// within a stretch in which nothing else of note happens.
fn thinned(moments: &[Moment]) -> Vec<(&Moment, usize)> {
    let mut shown = Vec::new();
    let mut rest = moments;
    while !rest.is_empty() {
        let length = rest
            .iter()
            .position(|moment| kind(moment).is_none())
            .unwrap_or(rest.len());
        let (stretch, after) = rest.split_at(length);
        let mut left: BTreeMap<_, usize> = BTreeMap::new();
        for moment in stretch {
            *left.entry(kind(moment)).or_default() += 1;
        }
        let all = left.clone();
        for moment in stretch {
            let kind = kind(moment);
            let (all, left) = (all[&kind], left.entry(kind).or_default());
            if all <= ALL_SHOWN || *left == all {
                shown.push((moment, 0));
            } else if *left == 1 {
                shown.push((moment, all - 1));
            }
            *left -= 1;
        }
        shown.extend(after.first().map(|moment| (moment, 0)));
        rest = after.get(1..).unwrap_or_default();
    }
    shown
}

/// The kind of a moment that need not be shown each time: the client with a kind of request, or the program with the first word
/// of a line that it printed. `None` for all other moments.
fn kind(moment: &Moment) -> Option<(String, String)> {
    let kind = match &moment.what {
        Happening::Out(line) => {
            let mut words = line.split(|c: char| !c.is_alphabetic());
            Some(words.find(|word| !word.is_empty()).unwrap_or_default())
        }
        Happening::Err(_) => Some("stderr"),
        Happening::Request { logged, .. } => {
            let kind = logged.kind();
            matches!(kind, "OFFSET_COMMIT" | "PRODUCE" | "FETCH").then_some(kind)
        }
        Happening::Deed(_) | Happening::Note(_) => None,
    };
    kind.map(|kind| (moment.who.clone(), kind.to_string()))
}
