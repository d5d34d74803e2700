//! The topics of a cluster, and their end offsets.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use broker::spent::{Waiting, count_as};
use broker::wait;
use rdkafka::error::RDKafkaErrorCode;

use crate::administration::{self, Settings};
use crate::end_offsets::{ends, leaders};
use crate::isolation::Isolation;
use crate::kafka::{CLEAN_LIMIT, Ends, Kafka};
use crate::wire::ANSWER_LIMIT;

/// How long the cluster's first answer may take.
const REACH_LIMIT: Duration = Duration::from_secs(8);

/// How long a partition may be without a leader: a new one, or one whose broker has ended, until Kafka notices that.
const LEADER_LIMIT: Duration = Duration::from_secs(20);

impl Kafka {
    /// How many partitions a topic has; `None` if there is no such topic.
    ///
    /// # Errors
    /// If the cluster does not answer within 8 s, or reports a problem with the topic.
    pub fn partitions(&self, topic: &str) -> Result<Option<i32>> {
        let _waiting = count_as(Waiting::Kafka);
        let admin = self.admin()?;
        let metadata = admin.inner().fetch_metadata(Some(topic), REACH_LIMIT);
        let metadata = metadata.map_err(|_| self.no_answer())?;
        let found = metadata.topics().first();
        let found =
            found.with_context(|| format!("Kafka did not say whether topic {topic} exists"))?;
        match found.error().map(RDKafkaErrorCode::from) {
            None => Ok(Some(i32::try_from(found.partitions().len())?)),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition) => Ok(None),
            Some(code) => bail!("Kafka reports a problem with topic {topic}: {code}"),
        }
    }

    /// The names of all topics, except Kafka's own.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub fn topics(&self) -> Result<Vec<String>> {
        let _waiting = count_as(Waiting::Kafka);
        let metadata = self.admin()?.inner().fetch_metadata(None, ANSWER_LIMIT)?;
        let names = metadata.topics().iter().map(|topic| topic.name());
        Ok(names
            .filter(|name| !name.starts_with("__"))
            .map(ToString::to_string)
            .collect())
    }

    /// Creates those topics that do not exist yet, each with its number of partitions and with the cluster's default number
    /// of replicas. Waits until all of them can be used.
    ///
    /// # Errors
    /// If the cluster does not answer or refuses.
    pub fn create_topics(&self, topics: &[(&str, i32)]) -> Result<()> {
        let _waiting = count_as(Waiting::Kafka);
        self.ask(|brokers| administration::create_topics(brokers, topics))?;
        let names = topics.iter().map(|(topic, _)| (*topic).to_string());
        let names: BTreeSet<String> = names.collect();
        wait::until("the topics to be ready", ANSWER_LIMIT, || {
            let ends = self.ends_of(&names, ANSWER_LIMIT)?;
            let is_ready = |name: &String| {
                let mut partitions = ends.iter().filter(|(at, _)| at.topic == *name).peekable();
                partitions.peek().is_some() && partitions.all(|(_, end)| end.is_some())
            };
            Ok(names.iter().all(is_ready).then_some(()))
        })
    }

    /// Changes one setting of a topic.
    ///
    /// # Errors
    /// If the cluster does not answer or refuses.
    pub fn set_topic_config(&self, topic: &str, name: &str, value: &str) -> Result<()> {
        let _waiting = count_as(Waiting::Kafka);
        self.altered().insert(topic.to_string());
        self.ask(|brokers| administration::set(brokers, Settings::Topic(topic), name, value))
    }

    /// Deletes those of these topics that exist, and waits until they are gone.
    ///
    /// # Errors
    /// If the cluster does not answer or refuses, or if a topic still exists after 30 s.
    pub fn delete_topics(&self, topics: &[&str]) -> Result<()> {
        if topics.is_empty() {
            return Ok(());
        }
        let _waiting = count_as(Waiting::Kafka);
        self.known.forget_topics();
        self.ask(|brokers| administration::delete_topics(brokers, topics))?;
        wait::until("Kafka to delete the topics", CLEAN_LIMIT, || {
            let left = self.topics()?;
            let is_gone = |topic: &&str| !left.iter().any(|name| name == topic);
            Ok(topics.iter().all(is_gone).then_some(()))
        })?;
        // librdkafka caches metadata. A client that knew the deleted topics could take new ones of the same names for them.
        *self.producer.lock() = None;
        self.readers.lock().clear();
        Ok(())
    }

    /// The end offset of each partition, which is the offset of the next record. A difference of offsets is not a number of
    /// records, because the end of a transaction takes an offset, too.
    ///
    /// # Errors
    /// If the topic does not exist, if a partition has no leader for 20 s, or if the cluster does not answer.
    pub fn ends(&self, topic: &str) -> Result<Vec<i64>> {
        self.ends_as(topic, Isolation::ReadUncommitted)
    }

    /// The same, as readers with this isolation see it.
    ///
    /// # Errors
    /// As [`Kafka::ends`].
    pub fn ends_as(&self, topic: &str, isolation: Isolation) -> Result<Vec<i64>> {
        let place = (topic.to_string(), isolation);
        let changes = self
            .changes()
            .map(|so_far| (so_far.of_records, so_far.are_settled));
        self.known
            .ends
            .keep(changes, place, || self.ask_for_ends(topic, isolation))
    }

    fn ask_for_ends(&self, topic: &str, isolation: Isolation) -> Result<Vec<i64>> {
        let _waiting = count_as(Waiting::Kafka);
        let mut known = self.known.leaders.lock().remove(topic);
        let mut ends = Ends::new();
        let leaders = wait::up_to(LEADER_LIMIT, || {
            let leaders = match known.take() {
                Some(leaders) => leaders,
                None => {
                    let topics = BTreeSet::from([topic.to_string()]);
                    self.ask(|brokers| leaders(brokers, &topics, ANSWER_LIMIT))?
                }
            };
            ends = self.ask(|brokers| self::ends(brokers, &leaders, isolation, ANSWER_LIMIT))?;
            if ends.is_empty() {
                bail!("there is no topic {topic}");
            }
            Ok(ends.values().all(Option::is_some).then_some(leaders))
        })?;
        if let Some(leaders) = leaders {
            let mut known = self.known.leaders.lock();
            known.insert(topic.to_string(), leaders);
        }
        // The map is in the order of partitions.
        ends.into_iter()
            .map(|(at, end)| {
                end.with_context(|| format!("partition {} of {topic} has no leader", at.partition))
            })
            .collect()
    }

    /// The end offset of each partition of those of these topics that exist. `None` if a partition has no leader at the
    /// moment.
    ///
    /// # Errors
    /// If the cluster does not answer within `limit`.
    pub fn ends_of(&self, topics: &BTreeSet<String>, limit: Duration) -> Result<Ends> {
        let isolation = Isolation::ReadUncommitted;
        let leaders = self.ask(|brokers| leaders(brokers, topics, limit))?;
        self.ask(|brokers| ends(brokers, &leaders, isolation, limit))
    }
}
