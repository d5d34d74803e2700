//! Reads the clickstream and does nothing with it: this is what the Kafka client can hand out.
//!
//!     measured_bare GROUP EVENTS SECONDS [SETTING=VALUE]…

use std::time::{Duration, Instant};

use common::{CLICKSTREAM, Error, bootstrap_servers, received, require_topic};
use measured::{Reading, argument, report, settings};
use rdkafka::consumer::{BaseConsumer, Consumer};

fn main() -> Result<(), Error> {
    let group: String = argument(1)?;
    let events: usize = argument(2)?;
    let limit = Duration::from_secs_f64(argument(3)?);

    require_topic(CLICKSTREAM)?;
    let consumer: BaseConsumer = settings(4)
        .set("bootstrap.servers", bootstrap_servers())
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()?;
    consumer.subscribe(&[CLICKSTREAM])?;

    let mut start = None;
    let mut seen = 0;
    loop {
        if received(consumer.poll(Duration::from_millis(500)))?.is_none() {
            continue;
        }
        let start = *start.get_or_insert_with(Instant::now);
        seen += 1;
        if seen == events || (seen % 1_000 == 0 && start.elapsed() >= limit) {
            report(&Reading {
                events: seen,
                seconds: start.elapsed().as_secs_f64(),
                next: Vec::new(),
            })?;
            std::process::exit(0);
        }
    }
}
