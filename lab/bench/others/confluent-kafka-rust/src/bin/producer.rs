//! The measured producer with the crate `confluent-kafka`. The events are made before the clock starts.
//!
//!     producer TOPIC EVENTS [SETTING=VALUE]…

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use confluent_kafka::common::serialization::ByteArraySerializer;
use confluent_kafka::producer::{
    KafkaProducer, Producer, ProducerConfig, ProducerRecord, callback,
};
use serde::Serialize;

#[derive(Serialize)]
struct Event {
    event_id: u32,
    user_id: String,
    event_type: &'static str,
    timestamp: f64,
    amount: Option<f64>,
}

const EVENT_TYPES: [&str; 4] = ["page_view", "add_to_cart", "purchase", "search"];

fn event(number: u32) -> Event {
    Event {
        event_id: number,
        user_id: format!("user_{}", number % 20 + 1),
        event_type: EVENT_TYPES[number as usize % EVENT_TYPES.len()],
        timestamp: 1_767_225_600.25 + f64::from(number),
        amount: number
            .is_multiple_of(3)
            .then(|| 10.0 + f64::from(number % 49_000) / 100.0),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [topic, events, own @ ..] = words.as_slice() else {
        return Err("usage: producer TOPIC EVENTS [SETTING=VALUE]…".into());
    };
    let mut settings = HashMap::from([(
        "bootstrap.servers".to_string(),
        env::var("BOOTSTRAP_SERVERS")?,
    )]);
    for (name, value) in own.iter().filter_map(|setting| setting.split_once('=')) {
        settings.insert(name.to_string(), value.to_string());
    }
    let bytes = ByteArraySerializer::default;
    let producer: KafkaProducer<Vec<u8>, Vec<u8>> =
        KafkaProducer::new(ProducerConfig::new(&settings)?, bytes(), bytes())?;
    let records: Vec<(String, Vec<u8>)> = (0..events.parse()?)
        .map(|number| {
            let event = event(number);
            Ok((event.user_id.clone(), serde_json::to_vec(&event)?))
        })
        .collect::<Result<_, serde_json::Error>>()?;

    let delivered = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    for (user_id, payload) in &records {
        let record =
            ProducerRecord::with_key(topic.clone(), Some(user_id.as_bytes()), Some(&payload[..]));
        let count = delivered.clone();
        let report = callback::new(move |_, error| {
            if error.is_none() {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        producer.send(record, Some(Box::new(report))).await?;
    }
    producer.close().await?;
    let seconds = start.elapsed().as_secs_f64();
    let events = delivered.load(Ordering::Relaxed);
    println!(r#"{{"events": {events}, "seconds": {seconds}, "next": []}}"#);
    Ok(())
}
