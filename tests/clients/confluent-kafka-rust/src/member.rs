//! Task 3: one member of the group.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use confluent_kafka::common::{Error, TopicPartition};
use confluent_kafka::consumer::{Consumer, ConsumerRebalanceListener, KafkaConsumer};

use crate::{Bytes, Result, after, close, consumer, wake_up_on_ctrl_c};

struct Printer {
    name: &'static str,
}

impl Printer {
    fn print(&self, what: &str, partitions: &[TopicPartition]) {
        let mut numbers: Vec<i32> = partitions.iter().map(TopicPartition::partition).collect();
        numbers.sort_unstable();
        println!("{}: {what} partitions {numbers:?}", self.name);
    }
}

#[async_trait]
impl ConsumerRebalanceListener for Printer {
    async fn on_partitions_assigned(
        &self,
        partitions: &[TopicPartition],
    ) -> std::result::Result<(), Error> {
        self.print("assigned", partitions);
        Ok(())
    }

    async fn on_partitions_revoked(
        &self,
        partitions: &[TopicPartition],
    ) -> std::result::Result<(), Error> {
        self.print("revoked", partitions);
        Ok(())
    }
}

/// Reads messages as the member with this name until someone presses Ctrl-C.
pub async fn run(name: &'static str) -> Result<()> {
    let mut consumer = consumer("scale-group")?;
    wake_up_on_ctrl_c(consumer.handle())?;
    let topics = vec!["clickstream".to_string()];
    consumer
        .subscribe_with_topics_listener(topics, Arc::new(Printer { name }))
        .await?;
    let outcome = read(&mut consumer, name).await;
    close(consumer, outcome).await
}

async fn read(consumer: &mut KafkaConsumer<Bytes, Bytes>, name: &str) -> Result<()> {
    loop {
        for record in &consumer.poll(Duration::from_millis(500)).await? {
            let user = String::from_utf8_lossy(record.key().map_or(&[], |key| key));
            println!(
                "{name}: partition={} offset={} user={user}",
                record.partition(),
                record.offset()
            );
            consumer.commit_sync_with_offsets(after([record])?).await?;
        }
    }
}
