//! The measured consumer with the crate `confluent-kafka`: batches that are committed last, each with a commit that waits.
//!
//!     consumer GROUP BATCH EVENTS SECONDS [SETTING=VALUE]…

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::error::Error;
use std::time::{Duration, Instant};

use confluent_kafka::common::TopicPartition;
use confluent_kafka::common::serialization::ByteArrayDeserializer;
use confluent_kafka::consumer::{Consumer, ConsumerConfig, KafkaConsumer, OffsetAndMetadata};
use serde::Deserialize;

/// An event of the clickstream.
#[derive(Deserialize)]
#[allow(dead_code, reason = "the lab's consumer parses all fields, too")]
struct Event {
    event_id: u64,
    user_id: String,
    event_type: String,
    timestamp: f64,
    amount: Option<f64>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [group, batch_size, events, limit, ..] = words.as_slice() else {
        return Err("usage: consumer GROUP BATCH EVENTS SECONDS [SETTING=VALUE]…".into());
    };
    let (batch_size, events): (usize, usize) = (batch_size.parse()?, events.parse()?);
    let limit = Duration::from_secs_f64(limit.parse()?);
    let settings = [
        ("bootstrap.servers", env::var("BOOTSTRAP_SERVERS")?),
        ("group.protocol", "consumer".to_string()),
        ("group.id", group.clone()),
        ("auto.offset.reset", "earliest".to_string()),
        ("enable.auto.commit", "false".to_string()),
    ];
    let settings = settings.map(|(name, value)| (name.to_string(), value));
    let bytes = ByteArrayDeserializer::default;
    let mut consumer: KafkaConsumer<Vec<u8>, Vec<u8>> = KafkaConsumer::new(
        ConsumerConfig::new(&HashMap::from(settings))?,
        bytes(),
        bytes(),
    )?;
    consumer
        .subscribe_with_topics(vec!["clickstream".to_string()])
        .await?;

    let mut start = None;
    let mut processed = 0;
    let mut batch: Vec<Event> = Vec::new();
    let mut totals: BTreeMap<String, u32> = BTreeMap::new();
    let mut next = HashMap::new();
    'reading: loop {
        for record in consumer.poll(Duration::from_millis(500)).await? {
            let start = *start.get_or_insert_with(Instant::now);
            let value = record.value().ok_or("an event without a value")?;
            batch.push(serde_json::from_slice(value)?);
            next.insert(
                TopicPartition::new(record.topic(), record.partition()),
                OffsetAndMetadata::new(record.offset() + 1)?,
            );
            if batch.len() < batch_size {
                continue;
            }
            for event in &batch {
                *totals.entry(event.event_type.clone()).or_default() += 1;
            }
            processed += batch.len();
            consumer
                .commit_sync_with_offsets(std::mem::take(&mut next))
                .await?;
            batch.clear();
            if processed + batch_size > events || start.elapsed() >= limit {
                let seconds = start.elapsed().as_secs_f64();
                println!(r#"{{"events": {processed}, "seconds": {seconds}, "next": []}}"#);
                break 'reading;
            }
        }
    }
    // Without closing the consumer, as the measured programs of the lab.
    std::process::exit(0)
}
