//! Task 6: copies the clickstream's purchases to another topic, each exactly once, no matter when this program dies.
//!
//! The task sheet is docs/task6-exactly-once.md.

#![allow(unused_imports, reason = "the holes need some of them")]

use std::collections::HashMap;
use std::time::Duration;

use common::{
    CLICKSTREAM, Error, Event, EventType, PURCHASE_EXTRACTOR, PURCHASES, Rebalanced, Shutdown,
    bootstrap_servers, received, require_topics,
};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::util::Timeout;
use rdkafka::{Offset, TopicPartitionList};

const BATCH_SIZE: usize = 20;

/// Copies the purchases of a batch and moves the committed offsets past the batch. Returns how many purchases it has.
fn copy(
    batch: &[(Event, OwnedMessage)],
    consumer: &BaseConsumer<Rebalanced>,
    producer: &BaseProducer,
) -> Result<usize, Error> {
    // TODO(3): begin a transaction. (Sheet: step 3)
    // END(3)
    let mut purchases = 0;
    for (event, message) in batch {
        if event.event_type == EventType::Purchase && event.amount.is_some() {
            let mut record = BaseRecord::<[u8], [u8]>::to(PURCHASES);
            record.key = message.key();
            record.payload = message.payload();
            producer.send(record).map_err(|(error, _)| error)?;
            purchases += 1;
        }
    }
    // TODO(4): replace these lines. Send offsets to the transaction, for the consumer's group: for each partition, the
    // offset after its last message in the batch. Then commit the transaction. (Sheet: step 4)
    producer.flush(Timeout::Never)?;
    consumer.commit_consumer_state(CommitMode::Sync)?;
    // END(4)
    Ok(purchases)
}

fn main() -> Result<(), Error> {
    require_topics(&[CLICKSTREAM, PURCHASES])?;
    let shutdown = Shutdown::on_ctrl_c()?;
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers())
        .set("client.id", "exactly_once")
        // TODO(1): give the producer a transactional id that is the same at every start. (Sheet: step 2)
        // END(1)
        .create()?;
    // TODO(2): claim the transactional id. This aborts a transaction that an earlier run left open, and it fences an
    // instance that is still running. (Sheet: step 2)
    // END(2)
    let consumer: BaseConsumer<Rebalanced> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers())
        .set("client.id", "exactly_once")
        .set("group.id", PURCHASE_EXTRACTOR)
        .set("auto.offset.reset", "earliest")
        // A killed member keeps its partitions for this long, so a restart waits. The broker allows no less than 6 s.
        .set("session.timeout.ms", "6000")
        .set("enable.auto.commit", "false")
        .create_with_context(Rebalanced::default())?;
    consumer.subscribe(&[CLICKSTREAM])?;
    let mut batch = Vec::new();
    while !shutdown.requested() {
        let message = received(consumer.poll(Duration::from_millis(500)))?;
        if consumer.context().happened() {
            // After a rebalance, each partition goes on from its committed offset, so this batch comes again.
            batch.clear();
        }
        let ran_dry = message.is_none();
        if let Some(message) = message {
            batch.push((Event::from_message(&message)?, message.detach()));
        }
        if batch.is_empty() || (batch.len() < BATCH_SIZE && !ran_dry) {
            continue;
        }
        match copy(&batch, &consumer, &producer) {
            Ok(purchases) => println!("Committed batch of {}: {purchases} purchases.", batch.len()),
            Err(error) => {
                // An abort waits for the report on every record, but does not fetch the reports. `flush` does.
                producer.flush(Timeout::Never)?;
                // TODO(5): do not return the error. Abort the transaction, and then seek back to the first message
                // that each partition has in this batch. (Sheet: step 5)
                return Err(error);
                // END(5)
            }
        }
        batch.clear();
    }
    Ok(())
}
