//! A consumer that reads what a topic holds, and then waits until it is asked again.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use broker::wait;
use common::is_about_the_connection;
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::Offset;
use serde::{Deserialize, Serialize};

use crate::isolation::Isolation;
use crate::kafka::record::Record;
use crate::wire::{ANSWER_LIMIT, OBSERVER};

/// The longest time for reading what is wanted.
pub const READ_LIMIT: Duration = ANSWER_LIMIT;

/// How many bytes of records are read at a time. A lab sends less than one megabyte to a topic.
const MOST_BYTES: usize = 32 << 20;

/// What each record counts, in addition to its key and its value, in bytes.
const BYTES_OF_RECORD: usize = 64;

/// What was read.
#[derive(Debug, Serialize, Deserialize)]
pub enum Read {
    Records(Vec<Record>),
    /// There is more than can be read, for this reason.
    TooMuch(String),
}

/// A consumer in no group.
pub struct Reader {
    consumer: BaseConsumer,
    /// The topics that it knows.
    topics: BTreeSet<String>,
}

impl Reader {
    /// A reader with the configuration that all our clients share.
    ///
    /// # Errors
    /// If librdkafka refuses.
    pub fn new(config: &ClientConfig, isolation: Isolation) -> Result<Self> {
        let mut config = config.clone();
        config
            .set("group.id", OBSERVER)
            .set("enable.auto.commit", "false")
            .set("isolation.level", isolation.level())
            .set("enable.partition.eof", "true")
            // It fetches less in advance than it may read. A larger record is fetched in any case.
            .set("queued.max.messages.kbytes", "8192")
            // The end of a partition is reported after the first fetch without records. This fetch need not wait for any.
            .set("fetch.wait.max.ms", "5");
        Ok(Self {
            consumer: config.create()?,
            topics: BTreeSet::new(),
        })
    }

    /// Reads the records of each partition from one offset on, and before the other.
    ///
    /// # Errors
    /// If they could not be read in 60 s.
    pub fn read(&mut self, topic: &str, from: &[i64], to: &[i64]) -> Result<Read> {
        if !self.topics.contains(topic) {
            // If librdkafka does not know the topic when partitions are assigned, it asks about the topic half a second later.
            self.consumer.fetch_metadata(Some(topic), ANSWER_LIMIT)?;
            self.topics.insert(topic.to_string());
        }
        let is_wanted = |record: &Record| {
            let partition = usize::try_from(record.partition).ok();
            let end = partition.and_then(|at| to.get(at));
            end.is_some_and(|end| record.offset < *end)
        };
        let mut unread = BTreeSet::new();
        let mut start = TopicPartitionList::new();
        for (partition, (from, to)) in (0..).zip(from.iter().zip(to)) {
            if from < to {
                start.add_partition_offset(topic, partition, Offset::Offset(*from))?;
                unread.insert(partition);
            }
        }
        self.consumer.assign(&start)?;
        let mut records = Vec::new();
        let mut bytes = 0;
        wait::until("all records to be read", READ_LIMIT, || {
            while !unread.is_empty() && bytes <= MOST_BYTES {
                match self.consumer.poll(Duration::from_millis(200)) {
                    None => return Ok(None),
                    Some(Err(KafkaError::PartitionEOF(partition))) => {
                        unread.remove(&partition);
                    }
                    // librdkafka connects again.
                    Some(Err(error)) if is_about_the_connection(&error) => return Ok(None),
                    // Others may have come since.
                    Some(message) => {
                        let record = Record::from(&message?);
                        if is_wanted(&record) {
                            bytes += record.payload.bytes() + BYTES_OF_RECORD;
                            records.push(record);
                        }
                    }
                }
            }
            Ok(Some(()))
        })?;
        self.consumer.unassign()?;
        Ok(if bytes > MOST_BYTES {
            Read::TooMuch(format!("they are more than {} MB", MOST_BYTES >> 20))
        } else {
            Read::Records(records)
        })
    }
}
