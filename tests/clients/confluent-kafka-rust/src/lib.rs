//! What all programs share.

pub mod member;

use std::collections::HashMap;
use std::env;
use std::error::Error;

use confluent_kafka::common::TopicPartition;
use confluent_kafka::common::serialization::{ByteArrayDeserializer, ByteArraySerializer};
use confluent_kafka::consumer::{
    Consumer, ConsumerConfig, ConsumerHandle, ConsumerRecord, KafkaConsumer, OffsetAndMetadata,
};
use confluent_kafka::producer::{KafkaProducer, ProducerConfig};
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;
pub type Bytes = Vec<u8>;
pub type Record = ConsumerRecord<Bytes, Bytes>;

/// An event of the clickstream.
#[derive(Serialize, Deserialize)]
pub struct Event {
    pub event_id: u64,
    pub user_id: String,
    pub event_type: String,
    pub timestamp: f64,
    pub amount: Option<f64>,
}

impl Event {
    pub fn from_record(record: &Record) -> Result<Self> {
        let value = record.value().ok_or("an event without a value")?;
        Ok(serde_json::from_slice(value)?)
    }

    /// The amount, if this is a purchase that has one.
    pub fn purchase(&self) -> Option<f64> {
        self.amount.filter(|_| self.event_type == "purchase")
    }
}

fn with_servers(settings: &[(&str, &str)]) -> HashMap<String, String> {
    let servers = env::var("BOOTSTRAP_SERVERS").unwrap_or_else(|_| "127.0.0.1:9092".to_string());
    let settings = settings
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    settings
        .chain([("bootstrap.servers".to_string(), servers)])
        .collect()
}

pub fn producer(settings: &[(&str, &str)]) -> Result<KafkaProducer<Bytes, Bytes>> {
    let config = ProducerConfig::new(&with_servers(settings))?;
    let bytes = ByteArraySerializer::default;
    Ok(KafkaProducer::new(config, bytes(), bytes())?)
}

/// A consumer of the newer group protocol, the only one that this client can speak. It is not the default. The group
/// decides on the session timeout, so no member asks for it.
pub fn consumer(group: &str) -> Result<KafkaConsumer<Bytes, Bytes>> {
    let config = ConsumerConfig::new(&with_servers(&[
        ("group.protocol", "consumer"),
        ("group.id", group),
        ("auto.offset.reset", "earliest"),
        ("enable.auto.commit", "false"),
    ]))?;
    let bytes = ByteArrayDeserializer::default;
    Ok(KafkaConsumer::new(config, bytes(), bytes())?)
}

pub fn partition_of(record: &Record) -> TopicPartition {
    TopicPartition::new(record.topic(), record.partition())
}

/// The offset after the last of these messages in each partition.
pub fn after<'a>(
    records: impl IntoIterator<Item = &'a Record>,
) -> Result<HashMap<TopicPartition, OffsetAndMetadata>> {
    let after = records.into_iter().map(|record| {
        let next = OffsetAndMetadata::new(record.offset() + 1)?;
        Ok((partition_of(record), next))
    });
    after.collect()
}

/// On Ctrl-C and SIGTERM, what the consumer waits for ends with an error that `close` knows.
pub fn wake_up_on_ctrl_c(consumer: ConsumerHandle) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        consumer.wakeup();
    });
    Ok(())
}

/// Closes the consumer, so that it leaves its group: if it is only dropped, it stays a member. Someone who pressed
/// Ctrl-C is no failure.
pub async fn close(mut consumer: KafkaConsumer<Bytes, Bytes>, outcome: Result<()>) -> Result<()> {
    consumer.close().await?;
    outcome.or_else(
        |error| match error.downcast_ref::<confluent_kafka::common::Error>() {
            Some(error) if error.is_wakeup_error() => Ok(()),
            _ => Err(error),
        },
    )
}
