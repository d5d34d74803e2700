//! A Kafka cluster, seen from outside: what a lab program left there.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail};
use broker::wait;
use common::Undelivered;
use parking_lot::{Mutex, MutexGuard};
use rdkafka::TopicPartitionList;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::Offset;
use serde::Serialize;

use crate::end_offsets::ends;
use crate::group_description::{
    GroupDescription, GroupProtocol, TopicPartition, commits, describe,
};
use crate::leaving::{leave_consumer_group, leave_group};
use crate::wire::{ANSWER_LIMIT, Brokers, OBSERVER};

/// How long a cluster may take to be reached at all.
const REACH_LIMIT: Duration = Duration::from_secs(8);

/// How long what a submission left may take to be gone; a broker that takes longer is not worth keeping.
const CLEAN_LIMIT: Duration = Duration::from_secs(30);

/// The replication factor that leaves the choice to the cluster (KIP-464).
const CLUSTERS_DEFAULT: i32 = -1;

/// A cluster, by the address that clients start from.
#[derive(Clone)]
pub struct Kafka {
    bootstrap: String,
    /// For what concerns the whole cluster; making one costs more than most questions.
    admin: Arc<Mutex<Option<Arc<Admin>>>>,
    /// Topics that are not as they were created.
    altered: Arc<Mutex<BTreeSet<String>>>,
    /// For groups and offsets.
    brokers: Arc<Mutex<Brokers>>,
}

type Admin = AdminClient<DefaultClientContext>;

/// What a producer sends: bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
}

/// A record of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    pub payload: Payload,
}

/// What a reader sees of what was sent in transactions (librdkafka's `isolation.level`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Only what was committed, up to the first record of a transaction that is still open.
    ReadCommitted,
    /// All that is there, also of transactions that were aborted or are still open.
    ReadUncommitted,
}

impl Payload {
    /// The JSON of `value`, by this key.
    ///
    /// # Errors
    /// When it has no JSON.
    pub fn of(key: &str, value: &impl Serialize) -> Result<Self> {
        Ok(Self {
            key: Some(key.as_bytes().to_vec()),
            value: Some(serde_json::to_vec(value)?),
        })
    }
}

impl Record {
    /// The key, if there is one, as text.
    pub fn key(&self) -> Option<Cow<'_, str>> {
        self.payload.key.as_deref().map(String::from_utf8_lossy)
    }

    /// The value as text.
    pub fn value(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.payload.value.as_deref().unwrap_or_default())
    }
}

impl Isolation {
    fn level(self) -> &'static str {
        match self {
            Self::ReadCommitted => "read_committed",
            Self::ReadUncommitted => "read_uncommitted",
        }
    }
}

/// A member of a consumer group.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The client's `client.id`; `rdkafka` where it sets none.
    pub client_id: String,
    /// The id that the group coordinator gave it.
    pub member_id: String,
    /// What it owns of the topic.
    pub partitions: Vec<i32>,
}

impl Kafka {
    /// The cluster at `bootstrap`. Nothing is asked of it yet.
    pub fn at(bootstrap: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_string(),
            admin: Arc::default(),
            altered: Arc::default(),
            brokers: Arc::new(Mutex::new(Brokers::at(bootstrap))),
        }
    }

    /// The address that clients start from.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// How many partitions a topic has; `None` where there is no such topic.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn partitions(&self, topic: &str) -> Result<Option<i32>> {
        let admin = self.admin()?;
        let metadata = admin.inner().fetch_metadata(Some(topic), REACH_LIMIT);
        let metadata = metadata.map_err(|_| self.silent())?;
        let topic = metadata.topics().first().context("no metadata")?;
        match topic.error().map(RDKafkaErrorCode::from) {
            None => Ok(Some(i32::try_from(topic.partitions().len())?)),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition) => Ok(None),
            Some(code) => bail!("topic {}: {code}", topic.name()),
        }
    }

    /// Creates topics with so many partitions, where there are none of these names, with as many replicas as the cluster
    /// gives by default, and waits until they can be used.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub fn create_topics(&self, topics: &[(&str, i32)]) -> Result<()> {
        let replication = || TopicReplication::Fixed(CLUSTERS_DEFAULT);
        let new: Vec<NewTopic> = topics
            .iter()
            .map(|(topic, partitions)| NewTopic::new(topic, *partitions, replication()))
            .collect();
        let admin = self.admin()?;
        for result in pollster::block_on(admin.create_topics(&new, &admin_options()))? {
            match result {
                // Somebody else was faster: as good.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => bail!("topic {topic} could not be created: {code}"),
            }
        }
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

    /// The names of all topics but Kafka's own.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn topics(&self) -> Result<Vec<String>> {
        let metadata = self.admin()?.inner().fetch_metadata(None, ANSWER_LIMIT)?;
        let names = metadata.topics().iter().map(|topic| topic.name());
        Ok(names
            .filter(|name| !name.starts_with("__"))
            .map(ToString::to_string)
            .collect())
    }

    /// The names of all consumer groups.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn groups(&self) -> Result<Vec<String>> {
        let groups = self.admin()?.inner().fetch_group_list(None, ANSWER_LIMIT)?;
        let names = groups.groups().iter().map(|group| group.name().to_string());
        Ok(names.collect())
    }

    /// Changes one setting of a topic.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub fn set_topic_config(&self, topic: &str, name: &str, value: &str) -> Result<()> {
        self.altered().insert(topic.to_string());
        let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(name, value);
        let results = pollster::block_on(self.admin()?.alter_configs([&change], &admin_options()))?;
        match results.into_iter().next().context("no answer")? {
            Ok(_) => Ok(()),
            Err((_, code)) => bail!("{name} of topic {topic} could not be set: {code}"),
        }
    }

    /// Removes every member of a group at once, as if it had left; a dead one would stay until its session times out.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn remove_members(&self, group: &str) -> Result<()> {
        self.remove(group, |_| true)
    }

    /// As [`Kafka::remove_members`], for one of them.
    ///
    /// # Errors
    /// As there.
    pub fn remove_member(&self, group: &str, member_id: &str) -> Result<()> {
        self.remove(group, |member| member == member_id)
    }

    fn remove(&self, group: &str, which: impl Fn(&str) -> bool) -> Result<()> {
        let Some(described) = self.describe(group, ANSWER_LIMIT)? else {
            return Ok(());
        };
        let leave = match described.protocol {
            GroupProtocol::Classic => leave_group,
            GroupProtocol::Consumer => leave_consumer_group,
        };
        for member in described.members.iter().filter(|one| which(&one.member_id)) {
            self.ask(|brokers| leave(brokers, group, &member.member_id))?;
        }
        Ok(())
    }

    /// Deletes all groups and all topics but these, and these as well unless they are as they were created, so that whoever
    /// comes next finds a new cluster with these topics.
    ///
    /// # Errors
    /// When the cluster refuses, or a group keeps its members.
    pub fn begin_anew(&self, topics: &[(&str, i32)]) -> Result<()> {
        for group in self.groups()? {
            self.remove_members(&group)?;
            self.delete_group(&group, CLEAN_LIMIT)?;
        }
        let old = self.topics()?;
        let ends = self.ends_of(&old.iter().cloned().collect(), ANSWER_LIMIT)?;
        let is_new = |topic: &String| {
            let partitions = ends.iter().filter(|(at, _)| at.topic == *topic);
            let ends: Vec<_> = partitions.map(|(_, end)| *end).collect();
            let is_wanted = |(name, count): &(&str, i32)| {
                topic == name && i32::try_from(ends.len()).is_ok_and(|known| known == *count)
            };
            topics.iter().any(is_wanted)
                && ends.iter().all(|end| *end == Some(0))
                && !self.altered().contains(topic)
        };
        let used: Vec<&str> = old
            .iter()
            .filter(|topic| !is_new(topic))
            .map(String::as_str)
            .collect();
        self.delete_topics(&used)?;
        self.altered().clear();
        self.create_topics(topics)
    }

    /// Deletes topics, where they are there.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub fn delete_topics(&self, topics: &[&str]) -> Result<()> {
        if topics.is_empty() {
            return Ok(());
        }
        for result in pollster::block_on(self.admin()?.delete_topics(topics, &admin_options()))? {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
                Err((topic, code)) => bail!("topic {topic} could not be deleted: {code}"),
            }
        }
        wait::until("deleted topics to go", CLEAN_LIMIT, || {
            let left = self.topics()?;
            let is_gone = |topic: &&str| !left.iter().any(|name| name == topic);
            Ok(topics.iter().all(is_gone).then_some(()))
        })?;
        // What it remembers of topics is past.
        *self.admin.lock() = None;
        Ok(())
    }

    /// Deletes a consumer group, if there is one. A member that was killed holds it until its session times out.
    ///
    /// # Errors
    /// When it has members for longer than `limit`.
    pub fn delete_group(&self, group: &str, limit: Duration) -> Result<()> {
        let admin = self.admin()?;
        let what =
            format!("the members of {group} to leave (is a program of yours still running?)");
        wait::until(&what, limit, || {
            let results = pollster::block_on(admin.delete_groups(&[group], &admin_options()))?;
            match results.into_iter().next().context("no answer")? {
                Ok(_) | Err((_, RDKafkaErrorCode::GroupIdNotFound)) => Ok(Some(())),
                Err((
                    _,
                    RDKafkaErrorCode::NonEmptyGroup
                    | RDKafkaErrorCode::CoordinatorNotAvailable
                    | RDKafkaErrorCode::CoordinatorLoadInProgress
                    | RDKafkaErrorCode::NotCoordinator,
                )) => Ok(None),
                Err((_, code)) => bail!("group {group} could not be deleted: {code}"),
            }
        })
    }

    /// The end offset of each partition: that of the next record. Where transactions ended there are markers as well, so
    /// offsets count no records.
    ///
    /// # Errors
    /// When the topic does not exist, or the cluster does not answer.
    pub fn ends(&self, topic: &str) -> Result<Vec<i64>> {
        let ends = self.ends_of(&BTreeSet::from([topic.to_string()]), ANSWER_LIMIT)?;
        if ends.is_empty() {
            bail!("there is no topic {topic}");
        }
        // They come in the order of partitions.
        ends.into_iter()
            .map(|(at, end)| {
                end.with_context(|| format!("partition {} of {topic} has no leader", at.partition))
            })
            .collect()
    }

    fn partitions_of(&self, topic: &str) -> Result<i32> {
        let count = self.partitions(topic)?;
        count.with_context(|| format!("there is no topic {topic}"))
    }

    /// All records of a topic, in the order of partitions and offsets; of transactions, those that were committed.
    ///
    /// # Errors
    /// When they cannot all be read in time.
    pub fn records(&self, topic: &str) -> Result<Vec<Record>> {
        self.records_as(topic, Isolation::ReadCommitted)
    }

    /// As [`Kafka::records`], for a reader of this isolation.
    ///
    /// # Errors
    /// As there.
    pub fn records_as(&self, topic: &str, isolation: Isolation) -> Result<Vec<Record>> {
        let mut unread: BTreeSet<i32> = (0..self.partitions_of(topic)?).collect();
        // One of its own: what it knows of the topic must be of now, not of one that had this name before.
        let mut config = self.config();
        config
            .set("group.id", OBSERVER)
            .set("enable.auto.commit", "false")
            .set("isolation.level", isolation.level())
            .set("enable.partition.eof", "true")
            // The end of a partition is told with the first fetch that brings nothing; that one need not wait.
            .set("fetch.wait.max.ms", "5");
        let client: BaseConsumer = config.create()?;
        // Whoever is assigned partitions before it knows the topic waits half a second for its next look.
        client.fetch_metadata(Some(topic), ANSWER_LIMIT)?;
        let mut from = TopicPartitionList::new();
        for partition in &unread {
            from.add_partition_offset(topic, *partition, Offset::Beginning)?;
        }
        client.assign(&from)?;
        let mut records: Vec<Record> = Vec::new();
        wait::until("all records to be read", ANSWER_LIMIT, || {
            while !unread.is_empty() {
                match client.poll(Duration::from_millis(200)) {
                    None => return Ok(None),
                    Some(Err(KafkaError::PartitionEOF(partition))) => {
                        unread.remove(&partition);
                    }
                    Some(message) => records.push(record(&message?)),
                }
            }
            Ok(Some(()))
        })?;
        records.sort_by_key(|record| (record.partition, record.offset));
        Ok(records)
    }

    /// Publishes events, keyed by user, and waits until all are acknowledged.
    ///
    /// # Errors
    /// When the cluster refuses one.
    pub fn publish(&self, topic: &str, events: &[common::Event]) -> Result<()> {
        let payloads = events
            .iter()
            .map(|event| Payload::of(&event.user_id, event));
        self.send(topic, None, &payloads.collect::<Result<Vec<_>>>()?)
    }

    /// Publishes these bytes, and waits until all are acknowledged. Without a partition, the keys decide.
    ///
    /// # Errors
    /// When the cluster refuses one.
    pub fn send(&self, topic: &str, partition: Option<i32>, payloads: &[Payload]) -> Result<()> {
        let mut config = self.config();
        config.set("message.timeout.ms", ANSWER_LIMIT.as_millis().to_string());
        let producer: BaseProducer<Undelivered> =
            config.create_with_context(Undelivered::default())?;
        for payload in payloads {
            let mut record = BaseRecord::<[u8], [u8]>::to(topic);
            record.partition = partition;
            record.key = payload.key.as_deref();
            record.payload = payload.value.as_deref();
            producer.send(record).map_err(|(error, _)| anyhow!(error))?;
        }
        producer.flush(ANSWER_LIMIT)?;
        match producer.context().count() {
            0 => Ok(()),
            refused => bail!("{topic} refused {refused} of {} records", payloads.len()),
        }
    }

    /// Takes a transactional id: the transaction that whoever had it left open is aborted, and they can commit nothing more.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub fn fence(&self, transactional_id: &str) -> Result<()> {
        let mut config = self.config();
        config.set("transactional.id", transactional_id);
        let producer: BaseProducer = config.create()?;
        Ok(producer.init_transactions(ANSWER_LIMIT)?)
    }

    /// The committed offset of each partition; `None` where the group has committed nothing. (That is not 0.)
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn committed(&self, group: &str, topic: &str) -> Result<Vec<Option<i64>>> {
        let committed = self.commits(group, ANSWER_LIMIT)?;
        let partitions = 0..self.partitions(topic)?.unwrap_or(0);
        let at = |partition| TopicPartition {
            topic: topic.to_string(),
            partition,
        };
        Ok(partitions
            .map(|partition| committed.get(&at(partition)).copied())
            .collect())
    }

    /// The members of a group, and what each owns of `topic`.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn members(&self, group: &str, topic: &str) -> Result<Vec<Member>> {
        let described = self.describe(group, ANSWER_LIMIT)?;
        let members = described.map_or(Vec::new(), |described| described.members);
        Ok(members
            .into_iter()
            .map(|member| {
                let owned = member.partitions.into_iter();
                Member {
                    client_id: member.client_id,
                    member_id: member.member_id,
                    partitions: owned
                        .filter(|owned| owned.topic == topic)
                        .map(|owned| owned.partition)
                        .collect(),
                }
            })
            .collect())
    }

    /// A group as its coordinator sees it, by whatever protocol it goes; `None` where there is no such group.
    ///
    /// # Errors
    /// When the cluster does not answer within `limit`.
    pub fn describe(&self, group: &str, limit: Duration) -> Result<Option<GroupDescription>> {
        self.ask(|brokers| describe(brokers, group, limit))
    }

    /// All committed offsets of a group, in whatever topic.
    ///
    /// # Errors
    /// When the cluster does not answer within `limit`.
    pub fn commits(&self, group: &str, limit: Duration) -> Result<BTreeMap<TopicPartition, i64>> {
        self.ask(|brokers| commits(brokers, group, limit))
    }

    /// The end offset of each partition of these topics, of those that exist. `None` for a partition that has no leader at
    /// the moment.
    ///
    /// # Errors
    /// When the cluster does not answer within `limit`.
    pub fn ends_of(
        &self,
        topics: &BTreeSet<String>,
        limit: Duration,
    ) -> Result<BTreeMap<TopicPartition, Option<i64>>> {
        self.ask(|brokers| ends(brokers, topics, limit))
    }

    fn ask<T>(&self, question: impl FnOnce(&mut Brokers) -> Result<T>) -> Result<T> {
        let mut brokers = self.brokers.lock();
        question(&mut brokers).map_err(|error| {
            if error.is::<std::io::Error>() {
                self.silent()
            } else {
                error
            }
        })
    }

    /// What to say when the cluster does not answer.
    fn silent(&self) -> Error {
        let mend = common::mend();
        anyhow!("Kafka does not answer at {}. {mend}", self.bootstrap)
    }

    fn admin(&self) -> Result<Arc<Admin>> {
        let mut admin = self.admin.lock();
        if let Some(admin) = admin.as_ref() {
            return Ok(Arc::clone(admin));
        }
        let new: Arc<Admin> = Arc::new(self.config().create()?);
        *admin = Some(Arc::clone(&new));
        Ok(new)
    }

    fn altered(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.altered.lock()
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("client.id", OBSERVER)
            // A producer's client would create the topic that it asks about, where the cluster allows that.
            .set("allow.auto.create.topics", "false")
            .set_log_level(RDKafkaLogLevel::Emerg);
        config
    }
}

fn admin_options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(ANSWER_LIMIT))
        .operation_timeout(Some(ANSWER_LIMIT))
}

fn record(message: &BorrowedMessage<'_>) -> Record {
    Record {
        partition: message.partition(),
        offset: message.offset(),
        payload: Payload {
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
        },
    }
}
