//! The records of a cluster: reading them and publishing them.

use std::time::Duration;

use anyhow::{Result, bail};
use broker::spent::{Waiting, count_as};
use broker::wait;
use common::Undelivered;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseRecord, Producer};

use crate::fencing::fence;
use crate::isolation::Isolation;
use crate::kafka::config::config;
use crate::kafka::reading;
use crate::kafka::record::{Payload, Record};
use crate::kafka::{Kafka, Sender};
use crate::wire::ANSWER_LIMIT;

/// How long a look at the client takes while its queue is full.
const ROOM_PAUSE: Duration = Duration::from_millis(10);

/// Whether no partition has more at first than later, and there are as many of them.
fn is_before(first: &[i64], later: &[i64]) -> bool {
    first.len() == later.len() && first.iter().zip(later).all(|(first, later)| first <= later)
}

impl Kafka {
    /// All records of a topic that a [`Isolation::ReadCommitted`] consumer reads, ordered by partition and offset.
    ///
    /// # Errors
    /// [`Unreadable`](crate::Unreadable) if they are too much. Other errors if the topic does not exist, or if not all records could
    /// be read in 60 s.
    pub fn records(&self, topic: &str) -> Result<Vec<Record>> {
        self.records_as(topic, Isolation::ReadCommitted)
    }

    /// All records of a topic that a consumer with this isolation reads, ordered by partition and offset.
    ///
    /// # Errors
    /// [`Unreadable`](crate::Unreadable) if they are too much. Other errors if the topic does not exist, or if not all records could
    /// be read in 60 s.
    pub fn records_as(&self, topic: &str, isolation: Isolation) -> Result<Vec<Record>> {
        let ends = self.ends_as(topic, isolation)?;
        let place = (topic.to_string(), isolation);
        let known = self.known.records.lock().remove(&place);
        let (from, mut records) = known
            .filter(|(known, _)| is_before(known, &ends))
            .unwrap_or_else(|| (vec![0; ends.len()], Vec::new()));
        if from != ends {
            records.extend(self.read(topic, isolation, &from, &ends)?);
            records.sort_by_key(|record| (record.partition, record.offset));
        }
        let mut known = self.known.records.lock();
        known.insert(place, (ends, records.clone()));
        Ok(records)
    }

    /// The records from these offsets on, and before the other ones, for each partition.
    fn read(
        &self,
        topic: &str,
        isolation: Isolation,
        from: &[i64],
        to: &[i64],
    ) -> Result<Vec<Record>> {
        let _waiting = count_as(Waiting::Kafka);
        let mut readers = self.readers.lock();
        let wanted = (topic, from, to);
        reading::read(&mut readers, &self.bootstrap, isolation, wanted)
    }

    /// Publishes events with the user as the key, and waits until all are acknowledged.
    ///
    /// # Errors
    /// If the cluster does not answer, or refuses an event.
    pub fn publish(&self, topic: &str, events: &[common::Event]) -> Result<()> {
        let payloads = events
            .iter()
            .map(|event| Payload::of(&event.user_id, event));
        self.send(topic, None, &payloads.collect::<Result<Vec<_>>>()?)
    }

    /// Publishes these payloads, and waits until all are acknowledged. If `partition` is `None`, the keys decide.
    ///
    /// # Errors
    /// If the cluster does not answer, or refuses a record.
    pub fn send(&self, topic: &str, partition: Option<i32>, payloads: &[Payload]) -> Result<()> {
        let _waiting = count_as(Waiting::Kafka);
        let producer = self.producer()?;
        for payload in payloads {
            let mut record = BaseRecord::<[u8], [u8]>::to(topic);
            record.partition = partition;
            record.key = payload.key.as_deref();
            record.payload = payload.value.as_deref();
            while let Err((error, refused)) = producer.send(record) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                    bail!(error);
                }
                // There are more than the client keeps. It has room as soon as the broker has some of them.
                wait::check_stop()?;
                producer.poll(ROOM_PAUSE);
                record = refused;
            }
        }
        producer.flush(ANSWER_LIMIT)?;
        self.known.ends.forget();
        match producer.context().count() {
            0 => {
                *self.producer.lock() = Some(producer);
                Ok(())
            }
            failed => bail!(
                "{failed} of {} records could not be published to {topic}",
                payloads.len()
            ),
        }
    }

    /// The producer that is kept, or a new one if none is, or another thread uses it.
    fn producer(&self) -> Result<Sender> {
        if let Some(kept) = self.producer.lock().take() {
            return Ok(kept);
        }
        let mut config = config(&self.bootstrap);
        config.set("message.timeout.ms", ANSWER_LIMIT.as_millis().to_string());
        Ok(config.create_with_context(Undelivered::default())?)
    }

    /// Takes over a transactional id on a cluster of one broker. This aborts the open transaction of the producer that had it
    /// before. That producer cannot commit anything more.
    ///
    /// # Errors
    /// If the broker does not answer or refuses.
    pub fn fence(&self, transactional_id: &str) -> Result<()> {
        let fenced = self.ask(|brokers| fence(brokers, transactional_id));
        self.known.forget_for_a_while();
        fenced
    }
}
