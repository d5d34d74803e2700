//! Task 4: dies after fifteen messages, before it commits.

use std::process;
use std::time::Duration;

use confluent_kafka::consumer::Consumer;
use confluent_kafka_rust::{Event, Result, consumer};

#[tokio::main]
async fn main() -> Result<()> {
    let mut consumer = consumer("crash-demo-group")?;
    consumer
        .subscribe_with_topics(vec!["clickstream".to_string()])
        .await?;
    let mut processed = 0;
    loop {
        for record in &consumer.poll(Duration::from_millis(500)).await? {
            let event = Event::from_record(record)?;
            println!(
                "partition={} offset={} event_id={}",
                record.partition(),
                record.offset(),
                event.event_id
            );
            processed += 1;
            if processed == 15 {
                // As if the power had failed: nothing is closed, and nobody is told.
                process::exit(1);
            }
        }
    }
}
