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
        // TODO(2): print where the record landed: `Delivered → topic=… partition=… offset=…`. If it was not delivered,
        // print the reason, `Delivery FAILED: …`, and count the failure in `self.failed`. (Sheet: step 3)
        let _ = result;
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
        // TODO(1): let the broker acknowledge a record only after every in-sync replica has it. Let the client retry
        // three times, and let it wait 5 ms for more records before it sends. (Sheet: step 2)
        // END(1)
        .create_with_context(DeliveryReport::default())?;

    for event_id in 0..EVENTS {
        let event = random_event(event_id)?;
        let payload = serde_json::to_string(&event)?;
        // TODO(3): give the record a key, so that all events of one user land on the same partition. (Sheet: step 4)
        let record = BaseRecord::<str, str>::to(CLICKSTREAM).payload(&payload);
        // END(3)
        producer.send(record).map_err(|(error, _)| error)?;
        // TODO(4): let the client deliver the reports that have arrived. Do not wait for more. (Sheet: step 5)
        // END(4)
    }

    // TODO(5): wait until every record has been acknowledged or has failed. (Sheet: step 6)
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
