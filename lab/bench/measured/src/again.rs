//! Goes on where a consumer has crashed, and reports how many events come again.
//!
//!     measured_again GROUP NEXT…
//!
//! NEXT is, for each partition, the offset after the last event that the crashed consumer processed. This program reads
//! each partition up to that offset or beyond it, and commits nothing.

use std::time::Duration;

use common::{CLICKSTREAM, Error, bootstrap_servers, received, require_topic};
use measured::{Again, argument, report};
use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;

fn main() -> Result<(), Error> {
    let group: String = argument(1)?;
    let partitions = std::env::args().len() - 2;
    let next: Vec<i64> = (0..partitions)
        .map(|partition| argument(partition + 2))
        .collect::<Result<_, _>>()?;

    require_topic(CLICKSTREAM)?;
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers())
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        // A crashed consumer may have read a partition to its end. Then no later event says so.
        .set("enable.partition.eof", "true")
        .create()?;
    consumer.subscribe(&[CLICKSTREAM])?;

    let mut again = Again { events: 0 };
    let mut done = vec![false; next.len()];
    while done.contains(&false) {
        let polled = consumer.poll(Duration::from_millis(500));
        if let Some(Err(KafkaError::PartitionEOF(partition))) = polled {
            if let Some(done) = done.get_mut(usize::try_from(partition)?) {
                *done = true;
            }
            continue;
        }
        let Some(message) = received(polled)? else {
            continue;
        };
        let partition = usize::try_from(message.partition())?;
        let Some(&next) = next.get(partition) else {
            // The crashed consumer had read nothing there.
            continue;
        };
        if message.offset() < next {
            again.events += 1;
        } else {
            done[partition] = true;
        }
    }
    report(&again)
}
