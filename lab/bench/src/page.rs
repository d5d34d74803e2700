//! What was measured, as text, as a page, and as a picture.

use cluster::table;
use maud::{Markup, html};
use pages::{Axis, Point, Series, log_plot, stand_alone};

use crate::results::Results;
use crate::spread::Spread;
use crate::trade::{Choice, Commit};

/// What the picture shows, in words.
const TITLE: &str = "Speed against replay, for batches of 1 to 10,000";

/// The heads of the table's columns, and which of them hold numbers.
const COLUMNS: [&str; 5] = [
    "batch of",
    "commit",
    "events a second",
    "share of the speed without commits",
    "come again after a crash",
];
const NUMBERS: [usize; 4] = [0, 2, 3, 4];

/// The figures as a table for the terminal.
pub fn text(results: &Results) -> String {
    let rows = results.trade.iter().map(row);
    format!(
        "{}\n{}\n\n{}\n",
        conditions(results),
        "Median of all rounds (smallest to largest):",
        table(&COLUMNS, &NUMBERS, rows)
    )
}

/// The figures as a page.
pub fn page(results: &Results) -> String {
    let body = html! {
        header {
            h1 { "What a commit costs" }
            p { (conditions(results)) }
        }
        section {
            h2 { "The trade: speed against replay" }
            p {
                "A consumer that crashes after it has processed a batch, and before it commits that batch, gets the batch again. \
                 Larger batches are faster, and more events come again. Each point is a batch size."
            }
            figure { div.scroll { (plot(results)) } }
            (rows(results))
            p.quiet {
                "Median of all rounds (smallest to largest). The share compares runs of the same round. After a crash without any \
                 commit, everything comes again."
            }
        }
    };
    pages::page("What a commit costs", &body)
}

/// The picture alone, as SVG.
pub fn picture(results: &Results) -> String {
    stand_alone(&plot(results))
}

fn conditions(results: &Results) -> String {
    format!(
        "{} events of the lab on 3 partitions; {} rounds; {}, without its request log; {}.",
        thousands(results.events),
        results.rounds,
        results.kafka,
        results.machine
    )
}

fn rows(results: &Results) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Speed and replay" {
            table.seconds {
                thead {
                    tr { @for name in COLUMNS { th.points scope="col" { (name) } } }
                }
                tbody {
                    @for choice in &results.trade {
                        tr { @for cell in row(choice) { td.points { (cell) } } }
                    }
                }
            }
        }
    }
}

fn row(choice: &Choice) -> [String; 5] {
    [
        thousands(choice.batch),
        choice.commit.name().to_string(),
        spread(&choice.events_per_second, whole),
        spread(&choice.of_no_commit, |share| format!("{share:.2}")),
        spread(&choice.again, whole),
    ]
}

fn plot(results: &Results) -> Markup {
    let axes = [
        "events that come again after a crash at the worst moment",
        "events a second",
    ]
    .map(|name| Axis { name, value: whole });
    let series = Commit::ALL.map(|commit| {
        let choices = results.trade.iter();
        Series {
            name: name(commit),
            points: choices
                .filter(|choice| choice.commit == commit)
                .map(point)
                .collect(),
        }
    });
    log_plot(TITLE, &axes[0], &axes[1], &series)
}

fn name(commit: Commit) -> &'static str {
    match commit {
        Commit::Sync => "sync: waits for each commit",
        Commit::Async => "async: only queues commits",
        Commit::None => "none: never commits",
    }
}

fn point(choice: &Choice) -> Point {
    let range = |spread: &Spread| (spread.smallest, spread.median, spread.largest);
    let batch = thousands(choice.batch);
    Point {
        x: range(&choice.again),
        y: range(&choice.events_per_second),
        // Without commits, the points of all batch sizes are at nearly the same place.
        label: match choice.commit {
            Commit::Sync | Commit::Async => batch.clone(),
            Commit::None => String::new(),
        },
        words: format!(
            "batches of {batch}, {}: {} events a second, {} come again",
            choice.commit.name(),
            whole(choice.events_per_second.median),
            whole(choice.again.median)
        ),
    }
}

fn spread(spread: &Spread, value: impl Fn(f64) -> String) -> String {
    let [smallest, median, largest] = [spread.smallest, spread.median, spread.largest].map(value);
    if smallest == largest {
        median
    } else {
        format!("{median} ({smallest} to {largest})")
    }
}

/// A number without decimals.
fn whole(value: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "all figures are positive, and far below the limit"
    )]
    thousands(value.round() as u64)
}

/// A number with commas between its thousands.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(whole(1_234_567.4), "1,234,567");
    }
}
