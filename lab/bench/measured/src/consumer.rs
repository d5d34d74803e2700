//! Reads the clickstream as task 2 asks, in batches of any size and with any way to commit, and reports how fast it was.
//!
//!     measured_consumer GROUP BATCH sync|async|none EVENTS SECONDS ends|dies [SETTING=VALUE]…
//!
//! It stops after the last full batch of EVENTS, or after SECONDS. If it dies, then at the worst moment: it has processed
//! this last batch, and not yet committed it.

use std::time::{Duration, Instant};

use common::{
    CLICKSTREAM, Error, Event, EventCounts, SESSION_TIMEOUT_MS, bootstrap_servers, received,
    require_topic,
};
use measured::{Reading, argument, report, settings};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};

/// Returns how many events of each type the batch has.
fn process(batch: &[Event]) -> EventCounts {
    let mut counts = EventCounts::default();
    for event in batch {
        counts.add(event.event_type);
    }
    counts
}

fn main() -> Result<(), Error> {
    let group: String = argument(1)?;
    let batch_size: usize = argument(2)?;
    let commit = match argument::<String>(3)?.as_str() {
        "sync" => Some(CommitMode::Sync),
        "async" => Some(CommitMode::Async),
        _ => None,
    };
    let events: usize = argument(4)?;
    let limit = Duration::from_secs_f64(argument(5)?);
    let dies = argument::<String>(6)? == "dies";

    require_topic(CLICKSTREAM)?;
    let consumer: BaseConsumer = settings(7)
        .set("bootstrap.servers", bootstrap_servers())
        .set("client.id", "consumer")
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", SESSION_TIMEOUT_MS)
        .set("enable.auto.commit", "false")
        .create()?;
    consumer.subscribe(&[CLICKSTREAM])?;

    let mut start = None;
    let mut reading = Reading {
        events: 0,
        seconds: 0.0,
        next: Vec::new(),
    };
    let mut batch = Vec::new();
    let mut totals = EventCounts::default();
    loop {
        let Some(message) = received(consumer.poll(Duration::from_millis(500)))? else {
            continue;
        };
        let start = *start.get_or_insert_with(Instant::now);
        note(&mut reading.next, &message);
        batch.push(Event::from_message(&message)?);
        if batch.len() < batch_size {
            continue;
        }

        let counts = process(&batch);
        for (event_type, count) in counts.0 {
            *totals.0.entry(event_type).or_default() += count;
        }
        reading.events += batch.len();
        let is_last = reading.events + batch_size > events || start.elapsed() >= limit;
        if is_last && dies {
            report(&reading)?;
            std::process::abort();
        }
        if let Some(mode) = commit {
            consumer.commit_consumer_state(mode)?;
        }
        batch.clear();
        if is_last {
            reading.seconds = start.elapsed().as_secs_f64();
            break;
        }
    }
    eprintln!("Totals: {totals}");
    report(&reading)?;
    // Without a destructor: the consumer would first wait until the broker has answered all commits of `async`.
    std::process::exit(0);
}

/// Notes that the message has been read.
fn note(next: &mut Vec<i64>, message: &impl Message) {
    let partition = usize::try_from(message.partition()).unwrap_or_default();
    if next.len() <= partition {
        next.resize(partition + 1, 0);
    }
    next[partition] = message.offset() + 1;
}
