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

// TODO(2): use batches of 20 events. (Sheet: step 3)
const BATCH_SIZE: usize = 10;
// END(2)

/// Prints the purchases of a batch and returns how many events of each type the batch has.
fn process(batch: &[Event]) -> EventCounts {
    // TODO(3): count the events by type. Print each purchase that has an amount:
    // `Purchase: user=user_7 amount=$49.99`. (Sheet: step 4)
    let _ = batch;
    EventCounts::default()
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
        // TODO(1): turn off the commit timer, so that only your program commits offsets. (Sheet: step 2)
        // END(1)
        .create()?;
    consumer.subscribe(&[CLICKSTREAM])?;

    let mut batch = Vec::new();
    // TODO(4): keep totals over all batches of this run, not just over one batch. (Sheet: step 5)
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

        // TODO(5): add this batch to the totals, and print them every 20 events. (Sheet: step 5)
        // END(5)

        // TODO(6): now that the batch is processed, commit it. Wait for the broker's answer, and then print
        // `Committed batch of 20.` (Sheet: step 6)
        // END(6)
        batch.clear();
    }
    Ok(())
}
