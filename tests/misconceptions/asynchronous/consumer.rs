//! Task 2 with a stream.

use std::time::Duration;

use common::{
    ANALYTICS_SERVICE, CLICKSTREAM, Error, Event, EventCounts, EventType, Shutdown,
    bootstrap_servers,
};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use tokio::runtime::Runtime;
use tokio::time::timeout;

const BATCH_SIZE: usize = 20;

async fn consume() -> Result<(), Error> {
    let shutdown = Shutdown::on_ctrl_c()?;
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers())
        .set("group.id", ANALYTICS_SERVICE)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()?;
    consumer.subscribe(&[CLICKSTREAM])?;
    let mut totals = EventCounts::default();
    let mut batch = Vec::new();
    while !shutdown.requested() {
        let Ok(message) = timeout(Duration::from_millis(500), consumer.recv()).await else {
            continue;
        };
        batch.push(Event::from_message(&message?)?);
        if batch.len() < BATCH_SIZE {
            continue;
        }
        let mut counts = EventCounts::default();
        for event in batch.drain(..) {
            counts.add(event.event_type);
            totals.add(event.event_type);
            if let (EventType::Purchase, Some(amount)) = (event.event_type, event.amount) {
                println!("Purchase: user={} amount=${amount}", event.user_id);
            }
        }
        println!("Batch summary: {counts}");
        println!("{totals}");
        consumer.commit_consumer_state(CommitMode::Sync)?;
        println!("Committed batch of {BATCH_SIZE}.");
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    Runtime::new()?.block_on(consume())
}
