//! Task 1 with futures: every delivery is awaited.

use std::time::UNIX_EPOCH;

use common::{CLICKSTREAM, Error, Event, EventType, bootstrap_servers};
use rand::RngExt;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio::runtime::Runtime;

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

async fn publish() -> Result<(), Error> {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers())
        .set("acks", "all")
        .create()?;
    let mut deliveries = Vec::new();
    for event_id in 0..100 {
        let event = random_event(event_id)?;
        let payload = serde_json::to_string(&event)?;
        let record = FutureRecord::to(CLICKSTREAM)
            .key(&event.user_id)
            .payload(&payload);
        deliveries.push(producer.send_result(record).map_err(|(error, _)| error)?);
    }
    for delivery in deliveries {
        match delivery.await? {
            Ok(place) => println!(
                "Delivered → topic={CLICKSTREAM} partition={} offset={}",
                place.partition, place.offset
            ),
            Err((error, _)) => println!("Delivery FAILED: {error}"),
        }
    }
    println!("Done. Published 100 events.");
    Ok(())
}

fn main() -> Result<(), Error> {
    Runtime::new()?.block_on(publish())
}
