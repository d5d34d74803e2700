//! Task 2: reads batches of 20 events, and commits each batch last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use confluent_kafka::common::{Error, TopicPartition};
use confluent_kafka::consumer::{Consumer, ConsumerRebalanceListener, KafkaConsumer};
use confluent_kafka_rust::{
    Bytes, Event, Result, after, close, consumer, partition_of, wake_up_on_ctrl_c,
};

const BATCH_SIZE: usize = 20;

type Counts = BTreeMap<String, u32>;

/// The partitions that the member has lost since it last looked.
#[derive(Default)]
struct Lost(Mutex<Vec<TopicPartition>>);

impl Lost {
    fn take(&self) -> Vec<TopicPartition> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[async_trait]
impl ConsumerRebalanceListener for Lost {
    async fn on_partitions_assigned(&self, _: &[TopicPartition]) -> std::result::Result<(), Error> {
        Ok(())
    }

    async fn on_partitions_revoked(
        &self,
        partitions: &[TopicPartition],
    ) -> std::result::Result<(), Error> {
        self.0.lock().unwrap().extend_from_slice(partitions);
        Ok(())
    }
}

fn process(batch: &[Event], totals: &mut Counts) -> Result<()> {
    let mut counts = Counts::new();
    for event in batch {
        *counts.entry(event.event_type.clone()).or_default() += 1;
        *totals.entry(event.event_type.clone()).or_default() += 1;
        if let Some(amount) = event.purchase() {
            println!("  Purchase: user={} amount=${amount:.2}", event.user_id);
        }
    }
    println!("Batch summary: {}", serde_json::to_string(&counts)?);
    println!("Running totals: {}", serde_json::to_string(totals)?);
    Ok(())
}

async fn read(consumer: &mut KafkaConsumer<Bytes, Bytes>, lost: &Lost) -> Result<()> {
    let mut batch = Vec::new();
    let mut totals = Counts::new();
    loop {
        let records = consumer.poll(Duration::from_millis(500)).await?;
        // Each of them goes on from its committed offset, wherever it goes, so its messages come again.
        let lost = lost.take();
        batch.retain(|record| !lost.contains(&partition_of(record)));
        for record in records {
            batch.push(record);
            if batch.len() == BATCH_SIZE {
                let events: Result<Vec<Event>> = batch.iter().map(Event::from_record).collect();
                process(&events?, &mut totals)?;
                consumer.commit_sync_with_offsets(after(&batch)?).await?;
                println!("Committed batch of {BATCH_SIZE}.");
                batch.clear();
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut consumer = consumer("analytics-service")?;
    wake_up_on_ctrl_c(consumer.handle())?;
    let lost = Arc::new(Lost::default());
    let topics = vec!["clickstream".to_string()];
    consumer
        .subscribe_with_topics_listener(topics, lost.clone())
        .await?;
    let outcome = read(&mut consumer, &lost).await;
    close(consumer, outcome).await
}
