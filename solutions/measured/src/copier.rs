//! Copies purchases as task 6 asks, with or without transactions, and reports how fast it read.
//!
//!     measured_copier GROUP BATCH transactions|flush EVENTS SECONDS [SETTING=VALUE]…
//!
//! With `flush`, it waits until the copies of a batch are acknowledged, and then the consumer commits. It stops after the last
//! full batch of EVENTS, or after SECONDS.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use common::{
    CLICKSTREAM, Error, Event, EventType, PURCHASES, SESSION_TIMEOUT_MS, bootstrap_servers,
    received, require_topics,
};
use measured::{Reading, argument, report, settings};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::util::Timeout;
use rdkafka::{Offset, TopicPartitionList};

fn main() -> Result<(), Error> {
    let group: String = argument(1)?;
    let batch_size: usize = argument(2)?;
    let has_transactions = argument::<String>(3)? == "transactions";
    let events: usize = argument(4)?;
    let limit = Duration::from_secs_f64(argument(5)?);

    require_topics(&[CLICKSTREAM, PURCHASES])?;
    let consumer: BaseConsumer = settings(6)
        .set("bootstrap.servers", bootstrap_servers())
        .set("group.id", &group)
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", SESSION_TIMEOUT_MS)
        .set("enable.auto.commit", "false")
        .create()?;
    consumer.subscribe(&[CLICKSTREAM])?;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap_servers());
    if has_transactions {
        config.set("transactional.id", &group);
    } else {
        config.set("enable.idempotence", "true");
    }
    let producer: BaseProducer = config.create()?;
    if has_transactions {
        producer.init_transactions(Timeout::Never)?;
    }

    let mut start = None;
    let mut copied = 0;
    let mut batch = Vec::new();
    loop {
        let Some(message) = received(consumer.poll(Duration::from_millis(500)))? else {
            continue;
        };
        let start = *start.get_or_insert_with(Instant::now);
        batch.push(message.detach());
        if batch.len() < batch_size {
            continue;
        }
        if has_transactions {
            producer.begin_transaction()?;
        }
        copy(&producer, &batch)?;
        let after = after(&batch)?;
        if has_transactions {
            let group = consumer
                .group_metadata()
                .ok_or_else(|| Error::new("the consumer is not in a group"))?;
            producer.send_offsets_to_transaction(&after, &group, Timeout::Never)?;
            producer.commit_transaction(Timeout::Never)?;
        } else {
            consumer.commit(&after, CommitMode::Sync)?;
        }
        copied += batch.len();
        batch.clear();
        if copied + batch_size > events || start.elapsed() >= limit {
            report(&Reading {
                events: copied,
                seconds: start.elapsed().as_secs_f64(),
                next: Vec::new(),
            })?;
            std::process::exit(0);
        }
    }
}

/// Copies the purchases that have an amount, and waits until all copies are acknowledged.
fn copy(producer: &BaseProducer, batch: &[OwnedMessage]) -> Result<(), Error> {
    for message in batch {
        let event = Event::from_message(message)?;
        if event.event_type == EventType::Purchase && event.amount.is_some() {
            let mut record = BaseRecord::<[u8], [u8]>::to(PURCHASES);
            record.key = message.key();
            record.payload = message.payload();
            producer.send(record).map_err(|(error, _)| error)?;
        }
    }
    // `flush` and `commit_transaction` check only every 100 ms, which would hide every other difference.
    while producer.in_flight_count() > 0 {
        producer.poll(Duration::from_millis(1));
    }
    Ok(())
}

/// The offsets after the last message of each partition.
fn after(batch: &[OwnedMessage]) -> Result<TopicPartitionList, Error> {
    let places = batch.iter().map(|message| {
        let partition = (message.topic().to_string(), message.partition());
        (partition, Offset::Offset(message.offset() + 1))
    });
    let places: HashMap<_, _> = places.collect();
    Ok(TopicPartitionList::from_topic_map(&places)?)
}
