//! Task 1: publishes 100 clickstream events and reports where each one landed.
//!
//! The task sheet is docs/task1-producer.md.

#![allow(unused_imports, reason = "the holes need some of them")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use common::{CLICKSTREAM, Error, Event, EventType, bootstrap_servers, require_topic};
use rand::RngExt;
use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::util::Timeout;

const EVENTS: u64 = 100;

/// Receives the Kafka client's report on each record, and counts the records that were not delivered.
#[derive(Default)]
struct DeliveryReport {
    failed: AtomicU64,
}

impl ClientContext for DeliveryReport {}

impl ProducerContext for DeliveryReport {
    type DeliveryOpaque = ();

    /// Called once for each record, after the broker has acknowledged it or the client has given up on it.
    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        // SOLUTION(2): print where the record landed; or print why it failed, and count the failure.
        match result {
            Ok(message) => println!(
                "Delivered → topic={} partition={} offset={}",
                message.topic(),
                message.partition(),
                message.offset()
            ),
            Err((error, _)) => {
                println!("Delivery FAILED: {error}");
                self.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        // END(2)
    }
}

/// Makes an event of a random user, with the current time. Three in ten events have an amount.
fn random_event(event_id: u64) -> Result<Event, Error> {
    let mut rng = rand::rng();
    let cents: u32 = rng.random_range(1_000..=50_000);
    Ok(Event {
        event_id,
        user_id: format!("user_{}", rng.random_range(1..=20)),
        event_type: EventType::ALL[rng.random_range(0..EventType::ALL.len())],
        timestamp: UNIX_EPOCH.elapsed()?.as_secs_f64(),
        amount: rng.random_bool(0.3).then_some(f64::from(cents) / 100.0),
    })
}

fn main() -> Result<(), Error> {
    require_topic(CLICKSTREAM)?;
    let producer: BaseProducer<DeliveryReport> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers())
        // SOLUTION(1): with `all`, an acknowledgment means that every in-sync replica has the record.
        .set("acks", "all")
        .set("retries", "3")
        .set("linger.ms", "5")
        // END(1)
        .create_with_context(DeliveryReport::default())?;

    for event_id in 0..EVENTS {
        let event = random_event(event_id)?;
        let payload = serde_json::to_string(&event)?;
        // SOLUTION(3): equal keys have equal hashes, and records with equal hashes go to the same partition.
        let record = BaseRecord::to(CLICKSTREAM)
            .key(&event.user_id)
            .payload(&payload);
        // END(3)
        producer.send(record).map_err(|(error, _)| error)?;
        // SOLUTION(4): this delivers the reports that have arrived, and does not wait for more.
        producer.poll(Duration::ZERO);
        // END(4)
    }

    // SOLUTION(5): without this, records that are not acknowledged yet would be dropped with the producer.
    producer.flush(Timeout::Never)?;
    // END(5)

    match producer.context().failed.load(Ordering::Relaxed) {
        0 => {
            println!("Done. Published {EVENTS} events.");
            Ok(())
        }
        failed => Err(Error::new(format!(
            "{failed} of {EVENTS} events were not delivered. The lines above say why."
        ))),
    }
}
