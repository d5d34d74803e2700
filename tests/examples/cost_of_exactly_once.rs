//! What exactly-once costs: runs the loop of task 6 with and without transactions, for batches of several sizes. Prints
//! how many events per second each loop copied: the smallest, the median and the largest value of all rounds.
//!
//!     BOOTSTRAP_SERVERS=… cargo run --package tests --example cost_of_exactly_once -- ROUNDS
//!
//! Use a cluster that you may write to: this creates topics, and deletes them at the end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use broker::wait;
use cluster::Kafka;
use common::{Event, EventType, bootstrap_servers};
use judge::random_events;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::util::Timeout;
use rdkafka::{Offset, TopicPartitionList};

const FROM: &str = "cost-of-exactly-once-in";
const TO: &str = "cost-of-exactly-once-out";

/// Batch sizes, and how many events to copy with each: enough for about a second.
const SIZES: &[(usize, usize)] = &[(1, 100), (10, 1_000), (100, 10_000), (1_000, 50_000)];

/// How long to wait for a message, or for `init_transactions`.
const LIMIT: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Transactions,
    FlushAndCommit,
}

fn main() -> Result<()> {
    let rounds = std::env::args()
        .nth(1)
        .context("usage: cost_of_exactly_once ROUNDS")?;
    let rounds: u32 = rounds.parse().context("ROUNDS must be a number")?;
    let kafka = Kafka::at(&bootstrap_servers());
    kafka.create_topics(&[(FROM, 3), (TO, 3)])?;
    let most = SIZES.iter().map(|(_, events)| *events).max();
    let most = u64::try_from(most.unwrap_or(0))?;
    for first in (0..most).step_by(10_000) {
        kafka.publish(FROM, &random_events(first, 10_000))?;
    }
    println!("events copied per second: smallest / median / largest of {rounds} rounds");
    for (batch, events) in SIZES {
        for (way, name) in [
            (Way::FlushAndCommit, "flush, commit"),
            (Way::Transactions, "transactions"),
        ] {
            let mut speeds = Vec::new();
            for _ in 0..rounds {
                speeds.push(copy(way, *batch, *events)?);
            }
            speeds.sort_by(f64::total_cmp);
            println!(
                "batches of {batch:5}, {name:13}: {:8.0} / {:8.0} / {:8.0}",
                speeds[0],
                speeds[speeds.len() / 2],
                speeds[speeds.len() - 1]
            );
        }
    }
    kafka.delete_topics(&[FROM, TO])
}

/// Copies the purchases among `events` events. Returns how many events it read per second, from the first event on.
fn copy(way: Way, batch_size: usize, events: usize) -> Result<f64> {
    let group = format!("cost-of-exactly-once-{}", rand::random::<u32>());
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap_servers());
    let consumer: BaseConsumer = config
        .clone()
        .set("group.id", &group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()?;
    consumer.subscribe(&[FROM])?;
    if way == Way::Transactions {
        config.set("transactional.id", &group);
    } else {
        config.set("enable.idempotence", "true");
    }
    let producer: BaseProducer = config.create()?;
    if way == Way::Transactions {
        producer.init_transactions(LIMIT)?;
    }
    let first = wait::until("the first message", LIMIT, || {
        let message = consumer.poll(Duration::from_millis(100)).transpose()?;
        Ok(message.map(|message| message.detach()))
    })?;
    let start = Instant::now();
    let mut copied = 0;
    let mut batch = vec![first];
    while copied < events {
        while batch.len() < batch_size {
            batch.push(next(&consumer)?);
        }
        if way == Way::Transactions {
            producer.begin_transaction()?;
        }
        send(&producer, &batch)?;
        commit(way, &consumer, &producer, &batch)?;
        copied += batch.len();
        batch.clear();
    }
    #[expect(clippy::cast_precision_loss, reason = "it is a few thousand")]
    let copied = copied as f64;
    Ok(copied / start.elapsed().as_secs_f64())
}

fn next(consumer: &BaseConsumer) -> Result<OwnedMessage> {
    let message = consumer
        .poll(LIMIT)
        .context("no message came within 30 s")??;
    Ok(message.detach())
}

fn send(producer: &BaseProducer, batch: &[OwnedMessage]) -> Result<()> {
    for message in batch {
        let event: Event = serde_json::from_slice(message.payload().unwrap_or_default())?;
        if event.event_type == EventType::Purchase && event.amount.is_some() {
            let mut record = BaseRecord::<[u8], [u8]>::to(TO);
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

fn commit(
    way: Way,
    consumer: &BaseConsumer,
    producer: &BaseProducer,
    batch: &[OwnedMessage],
) -> Result<()> {
    let after = batch.iter().map(|message| {
        let partition = (message.topic().to_string(), message.partition());
        (partition, Offset::Offset(message.offset() + 1))
    });
    let after = TopicPartitionList::from_topic_map(&after.collect())?;
    if way == Way::Transactions {
        let group = consumer
            .group_metadata()
            .context("the consumer is not in a group")?;
        producer.send_offsets_to_transaction(&after, &group, Timeout::Never)?;
        producer.commit_transaction(Timeout::Never)?;
    } else {
        consumer.commit(&after, CommitMode::Sync)?;
    }
    Ok(())
}
