//! A Kafka cluster, seen from outside: its topics, its groups and its records.

mod config;
mod groups;
mod known;
mod reader;
mod reading;
mod record;
mod records;
mod topics;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Error, Result, anyhow};
use broker::spent::{Waiting, count_as};
use common::Undelivered;
use confine::helper::Helper;
use parking_lot::{Mutex, MutexGuard};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::BaseProducer;

pub use groups::TopicMember;
pub use known::{Changes, MARKERS};
pub use reading::{Unreadable, read_records_if_asked};
pub use record::{Payload, Record};

use crate::TopicPartition;
use crate::administration::{Settings, set};
use crate::isolation::Isolation;
use crate::kafka::config::config;
use crate::kafka::known::Known;
use crate::wire::{ANSWER_LIMIT, Brokers};

/// How long Kafka may take to delete a group or a topic, before we give the broker up.
const CLEAN_LIMIT: Duration = Duration::from_secs(30);

/// A cluster.
#[derive(Clone)]
pub struct Kafka {
    bootstrap: String,
    /// The client for lists of topics and groups. It is kept, because making one takes longer than most calls.
    admin: Arc<Mutex<Option<Arc<Admin>>>>,
    /// The producer, kept for the same reason.
    producer: Arc<Mutex<Option<Sender>>>,
    /// The processes that read records, kept for the same reason. They must end when topics are deleted: their consumers might
    /// know things about a deleted topic of the same name.
    readers: Arc<Mutex<BTreeMap<Isolation, Helper>>>,
    known: Arc<Known>,
    /// Says which changes others have made; `None` if nobody can say.
    changes: Option<Arc<dyn Fn() -> Changes + Send + Sync>>,
    /// The topics whose settings have been changed.
    altered: Arc<Mutex<BTreeSet<String>>>,
    /// For questions about groups and offsets.
    brokers: Arc<Mutex<Brokers>>,
}

type Admin = AdminClient<DefaultClientContext>;

type Sender = BaseProducer<Undelivered>;

/// The end offset of each partition; `None` if the partition has no leader at the moment.
type Ends = BTreeMap<TopicPartition, Option<i64>>;

impl Kafka {
    /// The cluster whose clients start from the address `bootstrap`. Does not connect to it yet.
    pub fn at(bootstrap: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_string(),
            admin: Arc::default(),
            producer: Arc::default(),
            readers: Arc::default(),
            known: Arc::default(),
            changes: None,
            altered: Arc::default(),
            brokers: Arc::new(Mutex::new(Brokers::at(bootstrap))),
        }
    }

    /// The same cluster, for a place that sees all that others do to its records and its committed offsets. `changes` says how
    /// many changes they have made so far. As long as there are no more, answers are reused.
    #[must_use]
    pub fn with_changes(mut self, changes: impl Fn() -> Changes + Send + Sync + 'static) -> Self {
        self.changes = Some(Arc::new(changes));
        self
    }

    /// What is known of changes by us and by others; `None` if nobody sees what others do.
    fn changes(&self) -> Option<Changes> {
        let mut changes = self.changes.as_ref()?();
        changes.are_settled &= !self.known.is_unsure();
        Some(changes)
    }

    /// The address that clients start from.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Makes the cluster like a new one that has these topics. Deletes all groups, all other topics, and those of these
    /// topics that have records or changed settings. Then creates the topics that are missing.
    ///
    /// # Errors
    /// If the cluster does not answer or refuses, or if a group still has members after 30 s.
    pub fn begin_anew(&self, topics: &[(&str, i32)]) -> Result<()> {
        for group in self.groups()? {
            self.remove_members(&group)?;
            self.delete_group(&group, CLEAN_LIMIT)?;
        }
        let existing = self.topics()?;
        let ends = self.ends_of(&existing.iter().cloned().collect(), ANSWER_LIMIT)?;
        let old: Vec<&str> = existing
            .iter()
            .map(String::as_str)
            .filter(|topic| self.altered().contains(*topic) || !is_unused(topic, topics, &ends))
            .collect();
        self.delete_topics(&old)?;
        self.altered().clear();
        self.create_topics(topics)
    }

    /// Waits until groups and transactions can be coordinated. A new cluster needs a moment for that, and clients that come too
    /// early wait longer.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub fn wait_for_coordinators(&self) -> Result<()> {
        self.ask(|brokers| brokers.wait_for_coordinators(ANSWER_LIMIT))
    }

    /// Stops the request log of the lab's broker, until the broker ends. It costs time, so speed is measured without it.
    ///
    /// # Errors
    /// If the broker does not answer or refuses.
    pub fn stop_request_log(&self) -> Result<()> {
        self.ask(|brokers| set(brokers, Settings::Loggers, "kafka.request.logger", "WARN"))
    }

    /// Asks the brokers over Kafka's wire protocol.
    fn ask<T>(&self, question: impl FnOnce(&mut Brokers) -> Result<T>) -> Result<T> {
        let _waiting = count_as(Waiting::Kafka);
        let mut brokers = self.brokers.lock();
        question(&mut brokers).map_err(|error| {
            if error.is::<std::io::Error>() {
                self.no_answer()
            } else {
                error
            }
        })
    }

    /// The error for a cluster that does not answer. It says what to do.
    fn no_answer(&self) -> Error {
        let advice = common::how_to_reach_kafka();
        anyhow!("Kafka does not answer at {}. {advice}", self.bootstrap)
    }

    fn admin(&self) -> Result<Arc<Admin>> {
        let mut admin = self.admin.lock();
        if let Some(admin) = admin.as_ref() {
            return Ok(Arc::clone(admin));
        }
        let new: Arc<Admin> = Arc::new(config(&self.bootstrap).create()?);
        *admin = Some(Arc::clone(&new));
        Ok(new)
    }

    fn altered(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.altered.lock()
    }
}

/// Whether `topic` is one of `wanted`, with as many partitions as it should have, and without any records.
fn is_unused(topic: &str, wanted: &[(&str, i32)], ends: &Ends) -> bool {
    let partitions = ends.iter().filter(|(at, _)| at.topic == topic);
    let ends: Vec<Option<i64>> = partitions.map(|(_, end)| *end).collect();
    let is_wanted = |(name, count): &(&str, i32)| {
        topic == *name && i32::try_from(ends.len()).is_ok_and(|known| known == *count)
    };
    wanted.iter().any(is_wanted) && ends.iter().all(|end| *end == Some(0))
}

fn admin_options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(ANSWER_LIMIT))
        .operation_timeout(Some(ANSWER_LIMIT))
}
