//! Task 1: publishes 100 events.

use std::time::UNIX_EPOCH;

use confluent_kafka::producer::{Producer, ProducerRecord, callback};
use confluent_kafka_rust::{Event, Result, producer};
use rand::RngExt;

const EVENT_TYPES: [&str; 4] = ["page_view", "add_to_cart", "purchase", "search"];

fn random_event(event_id: u64) -> Result<Event> {
    let mut rng = rand::rng();
    let cents: u32 = rng.random_range(1_000..=50_000);
    Ok(Event {
        event_id,
        user_id: format!("user_{}", rng.random_range(1..=20)),
        event_type: EVENT_TYPES[rng.random_range(0..EVENT_TYPES.len())].to_string(),
        timestamp: UNIX_EPOCH.elapsed()?.as_secs_f64(),
        amount: rng.random_bool(0.3).then_some(f64::from(cents) / 100.0),
    })
}

#[tokio::main]
async fn main() -> Result<()> {
    let producer = producer(&[("acks", "all")])?;
    for event_id in 0..100 {
        let event = random_event(event_id)?;
        let value = serde_json::to_vec(&event)?;
        let record = ProducerRecord::with_key(
            "clickstream".to_string(),
            Some(event.user_id.as_bytes()),
            Some(&value[..]),
        );
        // `flush` succeeds even if the broker refused every record, so each record has its own report.
        let report = callback::new(|metadata, error| match (metadata, error) {
            (_, Some(error)) => println!("Delivery FAILED: {error}"),
            (Some(metadata), None) => println!(
                "Delivered → topic={} partition={} offset={}",
                metadata.topic(),
                metadata.partition(),
                metadata.offset()
            ),
            (None, None) => {}
        });
        producer.send(record, Some(Box::new(report))).await?;
    }
    // A producer that is dropped loses what it has not sent yet.
    producer.close().await?;
    println!("Done. Published 100 events.");
    Ok(())
}
