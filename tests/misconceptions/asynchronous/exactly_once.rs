//! Task 6 with a stream, and a future for each copy.

use std::time::Duration;

use common::{
    CLICKSTREAM, Error, Event, EventType, PURCHASE_EXTRACTOR, PURCHASES, Rebalanced, Shutdown,
    bootstrap_servers,
};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::util::Timeout;
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Runtime;
use tokio::time::timeout;

type Source = StreamConsumer<Rebalanced>;

fn is_purchase(message: &OwnedMessage) -> Result<bool, Error> {
    let event = Event::from_message(message)?;
    Ok(event.event_type == EventType::Purchase && event.amount.is_some())
}

async fn copy(
    batch: &[OwnedMessage],
    consumer: &Source,
    producer: &FutureProducer,
) -> Result<(), Error> {
    producer.begin_transaction()?;
    let mut copies = Vec::new();
    for message in batch {
        if is_purchase(message)? {
            let mut record = FutureRecord::<[u8], [u8]>::to(PURCHASES);
            record.key = message.key();
            record.payload = message.payload();
            copies.push(producer.send(record, Timeout::Never));
        }
    }
    for copy in copies {
        copy.await.map_err(|(error, _)| error)?;
    }
    let mut after = TopicPartitionList::new();
    for message in batch {
        let next = Offset::Offset(message.offset() + 1);
        match after.find_partition(CLICKSTREAM, message.partition()) {
            Some(mut known) => known.set_offset(next)?,
            None => after.add_partition_offset(CLICKSTREAM, message.partition(), next)?,
        }
    }
    let group = consumer.group_metadata();
    let group = group.ok_or_else(|| Error::new("The consumer is not in a group."))?;
    producer.send_offsets_to_transaction(&after, &group, Timeout::Never)?;
    producer.commit_transaction(Timeout::Never)?;
    Ok(())
}

fn go_back(batch: &[OwnedMessage], consumer: &Source) -> Result<(), Error> {
    for message in batch.iter().rev() {
        let at = Offset::Offset(message.offset());
        consumer.seek(CLICKSTREAM, message.partition(), at, Duration::from_secs(5))?;
    }
    Ok(())
}

async fn extract() -> Result<(), Error> {
    let shutdown = Shutdown::on_ctrl_c()?;
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers())
        .set("transactional.id", PURCHASE_EXTRACTOR)
        .create()?;
    producer.init_transactions(Timeout::Never)?;
    let consumer: Source = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers())
        .set("group.id", PURCHASE_EXTRACTOR)
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", "6000")
        .set("enable.auto.commit", "false")
        .create_with_context(Rebalanced::default())?;
    consumer.subscribe(&[CLICKSTREAM])?;
    while !shutdown.requested() {
        let mut batch = Vec::new();
        while batch.len() < 20 {
            let message = timeout(Duration::from_millis(200), consumer.recv()).await;
            if consumer.context().happened() {
                batch.clear();
            }
            let Ok(message) = message else {
                break;
            };
            batch.push(message?.detach());
        }
        if batch.is_empty() {
            continue;
        }
        match copy(&batch, &consumer, &producer).await {
            Ok(()) => println!("Committed batch of {}.", batch.len()),
            Err(error) => {
                eprintln!("{error:?}");
                producer.abort_transaction(Timeout::Never)?;
                go_back(&batch, &consumer)?;
            }
        }
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    Runtime::new()?.block_on(extract())
}
