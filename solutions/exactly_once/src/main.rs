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
    // SOLUTION(3): records that are sent from here on count only after the commit.
    producer.begin_transaction()?;
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
    // SOLUTION(4): the offsets after each partition's last message count together with the copies, or not at all.
    let mut after = HashMap::new();
    for (_, message) in batch {
        let partition = (CLICKSTREAM.to_string(), message.partition());
        after.insert(partition, Offset::Offset(message.offset() + 1));
    }
    let after = TopicPartitionList::from_topic_map(&after)?;
    let group = consumer.group_metadata();
    let group = group.ok_or_else(|| Error::new("The consumer is not in a group."))?;
    producer.send_offsets_to_transaction(&after, &group, Timeout::Never)?;
    producer.commit_transaction(Timeout::Never)?;
    // END(4)
    Ok(purchases)
}

fn main() -> Result<(), Error> {
    require_topics(&[CLICKSTREAM, PURCHASES])?;
    let shutdown = Shutdown::on_ctrl_c()?;
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers())
        .set("client.id", "exactly_once")
        // SOLUTION(1): the same at every start, so that the broker recognizes the owner of an open transaction.
        .set("transactional.id", PURCHASE_EXTRACTOR)
        // END(1)
        .create()?;
    // SOLUTION(2): this aborts what a killed instance left open. An older one that still runs can commit nothing more.
    producer.init_transactions(Timeout::Never)?;
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
                // SOLUTION(5): nothing in the batch counts, so go back to each partition's first message in it.
                eprintln!("Aborting a batch of {}: {error:?}", batch.len());
                producer.abort_transaction(Timeout::Never)?;
                let mut first = HashMap::new();
                for (_, message) in &batch {
                    let partition = (CLICKSTREAM.to_string(), message.partition());
                    let offset = Offset::Offset(message.offset());
                    first.entry(partition).or_insert(offset);
                }
                let first = TopicPartitionList::from_topic_map(&first)?;
                let sought = consumer.seek_partitions(first, Duration::from_secs(5))?;
                for partition in sought.elements() {
                    partition.error()?;
                }
                // END(5)
            }
        }
        batch.clear();
    }
    Ok(())
}
