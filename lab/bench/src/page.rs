//! What was measured, as text, as a page, and as a picture.

use cluster::table;
use maud::{Markup, html};
use pages::{Axis, Point, Series, log_plot, stand_alone};

use crate::consumer::{Commit, PAUSE};
use crate::exactly_once::Copied;
use crate::growth::{Growth, Read, Shared};
use crate::limit::Compared;
use crate::pause::Paused;
use crate::producer::Published;
use crate::results::Results;
use crate::spread::Spread;
use crate::trade::Choice;
use crate::yours::Yours;

/// What the picture shows, in words.
const TITLE: &str = "Speed against replay, for batches of 1 to 10,000";

/// What the figures in the tables are.
const FIGURES: &str =
    "Median of all rounds (smallest to largest). Shares compare runs of the same round.";

/// The heads of the columns of the trade, and which of them hold numbers.
const COLUMNS: [&str; 5] = [
    "batch of",
    "commit",
    "events a second",
    "share of the speed without commits",
    "come again after a crash",
];
const NUMBERS: [usize; 4] = [0, 2, 3, 4];

/// The same for the pause.
const PAUSE_COLUMNS: [&str; 4] = [
    "pause, ms",
    "commit",
    "events a second",
    "times the default",
];
const PAUSE_NUMBERS: [usize; 3] = [0, 2, 3];

/// The same for the limit.
const LIMIT_COLUMNS: [&str; 3] = [
    "what is done with each event",
    "events a second",
    "share of the client alone",
];
const LIMIT_NUMBERS: [usize; 2] = [1, 2];

/// The same for the producer.
const PRODUCER_COLUMNS: [&str; 3] = ["producer", "events a second", "share of the client alone"];
const PRODUCER_NUMBERS: [usize; 2] = [1, 2];

/// The same for exactly-once.
const COPY_COLUMNS: [&str; 4] = [
    "batch of",
    "events a second: flush, then commit",
    "transactions",
    "share with transactions",
];
const COPY_NUMBERS: [usize; 4] = [0, 1, 2, 3];

/// The same for groups of several consumers, and for topics of several sizes.
const GROUP_COLUMNS: [&str; 4] = [
    "partitions",
    "consumers",
    "events a second, all together",
    "times one consumer",
];
const GROUP_NUMBERS: [usize; 4] = [0, 1, 2, 3];
const READ_COLUMNS: [&str; 3] = ["events", "events a second", "memory at the peak, MB"];
const READ_NUMBERS: [usize; 3] = [0, 1, 2];

/// Why a fast consumer waits.
const WHY: &str = "Batches of 1,000. librdkafka fetches ahead. When its queue for a partition holds queued.min.messages \
                   (100,000), it pauses for fetch.queue.backoff.ms (1,000 by default). A fast consumer empties the queue \
                   sooner, and waits for the rest of the pause.";

/// The figures as a table for the terminal.
pub fn text(results: &Results) -> String {
    let rows = results.trade.iter().map(row);
    let mut text = format!(
        "{}\n{FIGURES}\n\n{}\n",
        conditions(results),
        table(&COLUMNS, &NUMBERS, rows)
    );
    if !results.pause.is_empty() {
        let rows = results.pause.iter().map(pause_row);
        text += &format!(
            "\n{WHY}\n\n{}\n",
            table(&PAUSE_COLUMNS, &PAUSE_NUMBERS, rows)
        );
    }
    let rows = results.limit.iter().map(limit_row);
    text += &format!("\n{}\n", table(&LIMIT_COLUMNS, &LIMIT_NUMBERS, rows));
    if !results.producer.is_empty() {
        let rows = results.producer.iter().map(producer_row);
        text += &format!("\n{}\n", table(&PRODUCER_COLUMNS, &PRODUCER_NUMBERS, rows));
    }
    if !results.exactly_once.is_empty() {
        let rows = results.exactly_once.iter().map(copy_row);
        text += &format!("\n{}\n", table(&COPY_COLUMNS, &COPY_NUMBERS, rows));
    }
    if let Some(growth) = &results.growth {
        let groups = growth.with_consumers.iter().map(group_row);
        let read = growth.with_events.iter().map(read_row);
        text += &format!(
            "\n{}\n\n{}\n",
            table(&GROUP_COLUMNS, &GROUP_NUMBERS, groups),
            table(&READ_COLUMNS, &READ_NUMBERS, read)
        );
    }
    if let Some(yours) = &results.yours {
        text += &format!("\n{}\n", about_yours(yours));
    }
    text
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
            @if let Some(yours) = &results.yours { p { (about_yours(yours)) } }
            (html_table("Speed and replay", &COLUMNS, results.trade.iter().map(row)))
            p.quiet { (FIGURES) " After a crash without any commit, everything comes again." }
        }
        @if !results.pause.is_empty() {
            section {
                h2 { "The pause: " code { (PAUSE) } }
                p { (WHY) }
                (html_table("Pauses", &PAUSE_COLUMNS, results.pause.iter().map(pause_row)))
            }
        }
        section {
            h2 { "The limit" }
            p { "How fast the Kafka client hands out events, and what remains of that if a consumer does its work." }
            (html_table("The limit", &LIMIT_COLUMNS, results.limit.iter().map(limit_row)))
        }
        @if !results.producer.is_empty() {
            section {
                h2 { "The producer" }
                p {
                    "Events that were made before, with their keys. Each row changes one setting of task 1, or the program. The \
                     client alone is a program that does not look at its delivery reports."
                }
                (html_table("The producer", &PRODUCER_COLUMNS, results.producer.iter().map(producer_row)))
            }
        }
        @if !results.exactly_once.is_empty() {
            section {
                h2 { "Exactly once" }
                p { "The loop of task 6, with one transaction per batch, and the same loop without transactions." }
                (html_table("Exactly once", &COPY_COLUMNS, results.exactly_once.iter().map(copy_row)))
            }
        }
        @if let Some(growth) = &results.growth { (about_growth(growth)) }
    };
    pages::page("What a commit costs", &body)
}

/// The picture alone, as SVG.
pub fn picture(results: &Results) -> String {
    stand_alone(&plot(results))
}

fn about_growth(growth: &Growth) -> Markup {
    let groups = growth.with_consumers.iter().map(group_row);
    let read = growth.with_events.iter().map(read_row);
    html! {
        section {
            h2 { "Growth" }
            p {
                "Batches of 1,000 with sync commits. A partition has one consumer of a group, so a fourth consumer of three \
                 partitions has nothing to do."
            }
            (html_table("Several consumers", &GROUP_COLUMNS, groups))
            p { "One consumer, on 3 partitions:" }
            (html_table("Many events", &READ_COLUMNS, read))
        }
    }
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

fn about_yours(yours: &Yours) -> String {
    format!(
        "Your consumer, batches of {}: {} events a second, which is {} of the measured consumer with sync commits. It commits \
         each batch, so after a crash at the worst moment, {} events come again.",
        thousands(yours.batch),
        spread(&yours.events_per_second, whole),
        spread(&yours.of_measured, share),
        thousands(yours.batch)
    )
}

fn html_table<const N: usize>(
    about: &str,
    columns: &[&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(about) {
            table.seconds {
                thead {
                    tr { @for name in columns { th.points scope="col" { (name) } } }
                }
                tbody {
                    @for row in rows {
                        tr { @for cell in row { td.points { (cell) } } }
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
        spread(&choice.of_no_commit, share),
        spread(&choice.again, whole),
    ]
}

fn pause_row(paused: &Paused) -> [String; 4] {
    [
        thousands(paused.milliseconds.into()),
        paused.commit.name().to_string(),
        spread(&paused.events_per_second, whole),
        spread(&paused.times_the_default, share),
    ]
}

fn limit_row(compared: &Compared) -> [String; 3] {
    [
        compared.reader.name().to_string(),
        spread(&compared.events_per_second, whole),
        spread(&compared.of_bare, share),
    ]
}

fn producer_row(published: &Published) -> [String; 3] {
    [
        published.way.clone(),
        spread(&published.events_per_second, whole),
        spread(&published.of_bare, share),
    ]
}

fn copy_row(copied: &Copied) -> [String; 4] {
    [
        thousands(copied.batch),
        spread(&copied.flush, whole),
        spread(&copied.transactions, whole),
        spread(&copied.of_flush, share),
    ]
}

fn group_row(shared: &Shared) -> [String; 4] {
    [
        shared.partitions.to_string(),
        shared.consumers.to_string(),
        spread(&shared.events_per_second, whole),
        spread(&shared.times_one, share),
    ]
}

fn read_row(read: &Read) -> [String; 3] {
    let megabytes = read.megabytes.as_ref();
    [
        thousands(read.events),
        spread(&read.events_per_second, whole),
        megabytes.map_or("unknown".to_string(), |megabytes| spread(megabytes, whole)),
    ]
}

fn plot(results: &Results) -> Markup {
    let axes = [
        "events that come again after a crash at the worst moment",
        "events a second",
    ]
    .map(|name| Axis { name, value: whole });
    let of_trade = Commit::ALL.into_iter().map(|commit| {
        let choices = results.trade.iter();
        Series {
            name: name(commit),
            points: choices
                .filter(|choice| choice.commit == commit)
                .map(point)
                .collect(),
        }
    });
    let of_yours = results.yours.iter().map(|yours| Series {
        name: "your consumer",
        points: vec![point_of_yours(yours)],
    });
    let series: Vec<Series> = of_trade.chain(of_yours).collect();
    log_plot(TITLE, &axes[0], &axes[1], &series)
}

fn name(commit: Commit) -> &'static str {
    match commit {
        Commit::Sync => "sync: waits for each commit",
        Commit::Async => "async: only queues commits",
        Commit::None => "none: never commits",
    }
}

fn range(spread: &Spread) -> (f64, f64, f64) {
    (spread.smallest, spread.median, spread.largest)
}

fn point_of_yours(yours: &Yours) -> Point {
    // The batch is at most 10,000.
    let batch = f64::from(u32::try_from(yours.batch).unwrap_or(u32::MAX));
    Point {
        x: (batch, batch, batch),
        y: range(&yours.events_per_second),
        label: format!("yours, {}", thousands(yours.batch)),
        words: about_yours(yours),
    }
}

fn point(choice: &Choice) -> Point {
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

fn share(value: f64) -> String {
    format!("{value:.2}")
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
