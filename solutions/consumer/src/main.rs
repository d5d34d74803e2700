//! Task 2: reads the clickstream in batches of 20, counts the events by type, and commits each batch last.
//!
//! The task sheet is docs/task2-consumer.md.

#![allow(unused_imports, reason = "the holes need some of them")]

use std::time::Duration;

use common::{
    ANALYTICS_SERVICE, CLICKSTREAM, Error, Event, EventCounts, EventType, SESSION_TIMEOUT_MS,
    Shutdown, bootstrap_servers, received, require_topic,
};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};

// SOLUTION(2): a batch is processed as a whole, committed as a whole, and repeated as a whole after a crash.
const BATCH_SIZE: usize = 20;
// END(2)

/// Prints the purchases of a batch and returns how many events of each type the batch has.
fn process(batch: &[Event]) -> EventCounts {
    // SOLUTION(3): count every event, and print the purchases that have an amount.
    let mut counts = EventCounts::default();
    for event in batch {
        counts.add(event.event_type);
        if let (EventType::Purchase, Some(amount)) = (event.event_type, event.amount) {
            println!("  Purchase: user={} amount=${amount:.2}", event.user_id);
        }
    }
    counts
    // END(3)
}

fn main() -> Result<(), Error> {
    require_topic(CLICKSTREAM)?;
    let shutdown = Shutdown::on_ctrl_c()?;
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers())
        .set("client.id", "consumer")
        .set("group.id", ANALYTICS_SERVICE)
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", SESSION_TIMEOUT_MS)
        // SOLUTION(1): no timer commits. Only this program decides when the committed offsets advance.
        .set("enable.auto.commit", "false")
        // END(1)
        .create()?;
    consumer.subscribe(&[CLICKSTREAM])?;

    let mut batch = Vec::new();
    // SOLUTION(4): created once, before the loop, so that the totals include every batch.
    let mut totals = EventCounts::default();
    // END(4)
    while !shutdown.requested() {
        let Some(message) = received(consumer.poll(Duration::from_millis(500)))? else {
            continue;
        };
        batch.push(Event::from_message(&message)?);
        if batch.len() < BATCH_SIZE {
            continue;
        }

        let counts = process(&batch);
        println!("Batch summary: {counts}");

        // SOLUTION(5): a batch has 20 events, so this prints the totals every 20 events.
        for event in &batch {
            totals.add(event.event_type);
        }
        println!("Running totals: {totals}");
        // END(5)

        // SOLUTION(6): commit last. If the program crashes before this line, the whole batch comes again.
        consumer.commit_consumer_state(CommitMode::Sync)?;
        println!("Committed batch of {BATCH_SIZE}.");
        // END(6)
        batch.clear();
    }
    Ok(())
}
