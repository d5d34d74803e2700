//! A history as a short table for a terminal: what the broker saw, next to what the programs printed.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;

use nix::sys::signal::Signal;

use crate::history::sentence::api;
use crate::history::{Moment, What};
use crate::programs::run::Deed;
use cluster::table;

/// Of this many things of a kind in a row, all are shown; of more, the first and the last.
const ALL_SHOWN: usize = 3;

/// More rows than this are cut in the middle.
const MOST_ROWS: usize = 40;

/// How much of a printed line is shown.
const MOST_CHARS: usize = 60;

/// The table; empty where nothing happened.
pub fn timeline(moments: &[Moment]) -> String {
    let Some(start) = moments.first().map(|moment| moment.at) else {
        return String::new();
    };
    let mut rows: Vec<[String; 3]> = thinned(moments)
        .into_iter()
        .map(|(moment, more)| {
            let seconds = moment.at.duration_since(start).unwrap_or_default();
            let mut text = told(moment);
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
        let note = [String::new(), format!("… {cut} more"), String::new()];
        rows.splice(MOST_ROWS / 2..MOST_ROWS / 2 + cut, [note]);
    }
    table(
        &["time", "what the broker saw", "what the program printed"],
        &[0],
        rows,
    )
}

fn is_printed(what: &What) -> bool {
    matches!(what, What::Out(_) | What::Err(_))
}

fn told(moment: &Moment) -> String {
    let who = &moment.who;
    match &moment.what {
        What::Deed(Deed::Started) => format!("── {who} is started"),
        What::Deed(Deed::Interrupted) => format!("── Ctrl-C for {who}"),
        What::Deed(Deed::Killed) => format!("── kill -9 for {who}"),
        What::Deed(Deed::Ended(status)) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("── {who} has ended, exit status {code}"),
            (None, signal) => {
                let name = signal.and_then(|signal| Signal::try_from(signal).ok());
                let name = name.map_or("a signal", Signal::as_str);
                format!("── {who} has ended by {name}")
            }
        },
        What::Out(line) => shortened(line),
        What::Err(line) => format!("(stderr) {}", shortened(line)),
        What::Request { said, .. } => format!("{who} {said}"),
        What::Note(note) => format!("── {note}"),
    }
}

fn shortened(line: &str) -> String {
    let mut chars = line.chars();
    let head: String = chars.by_ref().take(MOST_CHARS).collect();
    if chars.next().is_some() {
        head + "…"
    } else {
        head
    }
}

/// What repeats within a stretch in which nothing else of note happens is shown once or twice: the first, and the last
/// with the number of those left out.
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

/// What can be told once for many: lines of a program that begin alike, and requests of a kind.
fn kind(moment: &Moment) -> Option<(String, String)> {
    let kind = match &moment.what {
        What::Out(line) => {
            let mut words = line.split(|c: char| !c.is_alphabetic());
            Some(words.find(|word| !word.is_empty()).unwrap_or_default())
        }
        What::Err(_) => Some("stderr"),
        What::Request { logged, .. } => {
            let api = api(logged);
            matches!(api, "OFFSET_COMMIT" | "PRODUCE" | "FETCH").then_some(api)
        }
        What::Deed(_) | What::Note(_) => None,
    };
    kind.map(|kind| (moment.who.clone(), kind.to_string()))
}
