//! Task 6: copies purchases in transactions.

use std::time::Duration;

use confluent_kafka::consumer::{Consumer, ConsumerRecords, KafkaConsumer};
use confluent_kafka::producer::{KafkaProducer, ProducerRecord};
use confluent_kafka_rust::{
    Bytes, Event, Result, after, close, consumer, producer, wake_up_on_ctrl_c,
};

const GROUP: &str = "purchase-extractor";

/// Copies the purchases of a batch and moves the committed offsets past the batch.
async fn copy(
    batch: &ConsumerRecords<Bytes, Bytes>,
    consumer: &mut KafkaConsumer<Bytes, Bytes>,
    producer: &KafkaProducer<Bytes, Bytes>,
) -> Result<()> {
    producer.begin_transaction()?;
    for record in batch {
        if Event::from_record(record)?.purchase().is_some() {
            let (key, value) = (
                record.key().map(|key| &key[..]),
                record.value().map(|value| &value[..]),
            );
            producer
                .send(
                    ProducerRecord::with_key("purchases".to_string(), key, value),
                    None,
                )
                .await?;
        }
    }
    producer
        .send_offsets_to_transaction(after(batch)?, &*consumer.group_metadata())
        .await?;
    // This fails if a record of the transaction was refused.
    producer.commit_transaction().await?;
    Ok(())
}

async fn read(
    consumer: &mut KafkaConsumer<Bytes, Bytes>,
    producer: &KafkaProducer<Bytes, Bytes>,
) -> Result<()> {
    loop {
        let batch = consumer.poll(Duration::from_millis(500)).await?;
        if !batch.is_empty() {
            // If this fails, the program ends. The next one aborts the transaction and begins at the committed
            // offsets.
            copy(&batch, consumer, producer).await?;
            println!("Committed a batch of {}.", batch.count());
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let producer = producer(&[("transactional.id", GROUP)])?;
    // This aborts what a killed instance left open. An older one that still runs can commit nothing more.
    producer.init_transactions().await?;
    let mut consumer = consumer(GROUP)?;
    wake_up_on_ctrl_c(consumer.handle())?;
    consumer
        .subscribe_with_topics(vec!["clickstream".to_string()])
        .await?;
    let outcome = read(&mut consumer, &producer).await;
    close(consumer, outcome).await
}
