//! Publishes events as task 1 asks, with any settings, and reports how fast it was. The events are made before the clock
//! starts, so that only the client's work is measured.
//!
//!     measured_producer TOPIC EVENTS reports|bare [SETTING=VALUE]…
//!
//! With `bare`, nobody looks at the delivery reports, and the client is polled only when its queue is full: this is the
//! limit of the client.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{Error, Event, EventType, bootstrap_servers, require_topic};
use measured::{Reading, argument, report, settings};
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::util::Timeout;

/// Counts the delivered records. Task 1 prints a line for each instead.
#[derive(Default)]
struct DeliveryReport {
    delivered: AtomicU64,
}

impl ClientContext for DeliveryReport {}

impl ProducerContext for DeliveryReport {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        if result.is_ok() {
            self.delivered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn event(number: u32) -> Event {
    Event {
        event_id: number.into(),
        user_id: format!("user_{}", number % 20 + 1),
        event_type: EventType::ALL[number as usize % EventType::ALL.len()],
        timestamp: 1_767_225_600.25 + f64::from(number),
        amount: number
            .is_multiple_of(3)
            .then(|| 10.0 + f64::from(number % 49_000) / 100.0),
    }
}

fn main() -> Result<(), Error> {
    let topic: String = argument(1)?;
    let events: u32 = argument(2)?;
    let is_bare = argument::<String>(3)? == "bare";

    require_topic(&topic)?;
    let producer: BaseProducer<DeliveryReport> = settings(4)
        .set("bootstrap.servers", bootstrap_servers())
        .create_with_context(DeliveryReport::default())?;
    let records: Vec<(String, String)> = (0..events)
        .map(|number| {
            let event = event(number);
            Ok((serde_json::to_string(&event)?, event.user_id))
        })
        .collect::<Result<_, Error>>()?;
    // Connects before the clock starts.
    producer
        .client()
        .fetch_metadata(Some(&topic), Duration::from_secs(10))?;

    let start = Instant::now();
    for (payload, user_id) in &records {
        let mut record = BaseRecord::to(&topic).key(user_id).payload(payload);
        while let Err((error, unsent)) = producer.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            producer.poll(Duration::from_millis(10));
            record = unsent;
        }
        if !is_bare {
            producer.poll(Duration::ZERO);
        }
    }
    // `flush` looks only every 100 ms.
    while producer.in_flight_count() > 0 {
        producer.poll(Duration::from_millis(1));
    }
    let seconds = start.elapsed().as_secs_f64();
    producer.flush(Timeout::Never)?;
    let delivered = producer.context().delivered.load(Ordering::Relaxed);
    report(&Reading {
        events: usize::try_from(delivered)?,
        seconds,
        next: Vec::new(),
    })
}
