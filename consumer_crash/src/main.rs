//! Task 4: processes fifteen messages and then dies, as if the power had failed, before it has committed anything.
//!
//! There is nothing to fill in here. The task sheet is docs/task4-crash.md.

use std::time::Duration;

use common::{
    CLICKSTREAM, CRASH_DEMO_GROUP, Error, Event, SESSION_TIMEOUT_MS, Shutdown, bootstrap_servers,
    received, require_topic,
};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;

const CRASH_AFTER: u32 = 15;

fn main() -> Result<(), Error> {
    require_topic(CLICKSTREAM)?;
    let shutdown = Shutdown::on_ctrl_c()?;
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers())
        .set("client.id", "consumer_crash")
        .set("group.id", CRASH_DEMO_GROUP)
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", SESSION_TIMEOUT_MS)
        .set("enable.auto.commit", "false")
        .create()?;
    consumer.subscribe(&[CLICKSTREAM])?;

    let mut processed = 0;
    while !shutdown.requested() {
        let Some(message) = received(consumer.poll(Duration::from_millis(500)))? else {
            continue;
        };
        let event = Event::from_message(&message)?;
        processed += 1;
        println!(
            "Processed {processed:2}: partition={} offset={} event_id={}",
            message.partition(),
            message.offset(),
            event.event_id
        );

        if processed == CRASH_AFTER {
            println!("CRASH after {processed} messages, before the commit!");
            // No destructor runs: the consumer is not closed, does not leave its group, and commits nothing.
            // (A panic would unwind the stack and drop the consumer, and the consumer would then leave its group.)
            std::process::abort();
        }
    }
    Ok(())
}
