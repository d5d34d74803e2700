//! The two topics, and the group of the workers.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, bail};
use broker::wait;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{Client, ClientContext, DefaultClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::lab_digest::lab_digest;
use crate::queue::connection::{Connection, REACH_LIMIT};

/// Submissions that wait for a worker.
pub const SUBMISSIONS: &str = "lab-submissions";

/// What has become of them.
pub const RESULTS: &str = "lab-results";

/// The partition of [`RESULTS`] with a note about everything that happens to a submission. All notes are in one partition, so
/// that everybody reads them in the same order; they are small, so that everybody can read them all.
pub const NOTES: i32 = 0;

/// The partition of [`RESULTS`] with the reports, which are large. A note says where each one is.
pub const REPORTS: i32 = 1;

/// The largest value of a record, in bytes. What is larger than Kafka's usual limit of 1 MB must be allowed by the topic.
pub const LARGEST: usize = 8 << 20;

/// The limit of the topics: it also counts the key and the headers.
const LIMIT: &str = "8454144";

/// The topics with their numbers of partitions. A worker's job needs a submission from a partition that no other worker owns, so
/// the first number bounds how many jobs there can be.
const TOPICS: [(&str, i32); 2] = [(SUBMISSIONS, 64), (RESULTS, 2)];

/// How long Kafka may take to create the topics.
const CREATE_LIMIT: Duration = Duration::from_secs(60);

/// The beginning of the names of all groups. A cluster that restricts its users must allow this.
pub const GROUPS: &str = "lab-graders";

/// The error if a topic that was there is gone.
#[derive(Debug)]
pub struct TopicsGone;

impl fmt::Display for TopicsGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the topics are gone, because this Kafka was emptied, or is another one now. Run the same command again: it publishes \
             what has no result",
        )
    }
}

impl std::error::Error for TopicsGone {}

impl TopicsGone {
    /// Whether this is what Kafka says of a topic that does not exist.
    pub fn is_meant(error: &KafkaError) -> bool {
        matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::UnknownPartition
            )
        )
    }
}

/// The group of the workers whose lab is this one. Workers with another lab are in another group. So they leave the submissions
/// alone that are not for them, and hold no partitions of those that are.
pub fn group() -> String {
    format!("{GROUPS}-{}", &lab_digest()[..8])
}

/// Creates those of the topics that do not exist.
///
/// # Errors
/// When Kafka does not answer, or refuses. Then the message says how an administrator can create them.
pub fn ensure_topics(connection: &Connection) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = connection.config("lab-topics").create()?;
    for (topic, partitions) in TOPICS {
        if partitions_of(admin.inner(), connection, topic)?.is_some() {
            continue;
        }
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1))
            .set("max.message.bytes", LIMIT);
        let options = AdminOptions::new().operation_timeout(Some(CREATE_LIMIT));
        for result in pollster::block_on(admin.create_topics([&new], &options))? {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => bail!(
                    "Kafka refused to create topic {topic}: {code}. Ask its administrator to run `kafka-topics --create \
                     --topic {topic} --partitions {partitions} --config max.message.bytes={LIMIT}`"
                ),
            }
        }
    }
    wait::until("Kafka to create the topics", CREATE_LIMIT, || {
        Ok(are_there(admin.inner(), connection)?.then_some(()))
    })
}

/// Are both topics there, with all their partitions?
///
/// # Errors
/// When Kafka does not answer, or reports a problem with a topic.
pub fn are_there<C: ClientContext>(client: &Client<C>, connection: &Connection) -> Result<bool> {
    for (topic, least) in [(SUBMISSIONS, 1), (RESULTS, 2)] {
        match partitions_of(client, connection, topic)? {
            None => return Ok(false),
            Some(count) if count < least => bail!(
                "topic {topic} has {count} partitions, but needs {least}. Delete it, and it is created again"
            ),
            Some(_) => {}
        }
    }
    Ok(true)
}

/// How many partitions a topic has; `None` if there is no such topic, or if it is not ready yet.
///
/// # Errors
/// When Kafka does not answer, or reports a problem with the topic.
pub fn partitions_of<C: ClientContext>(
    client: &Client<C>,
    connection: &Connection,
    topic: &str,
) -> Result<Option<i32>> {
    let metadata = client
        .fetch_metadata(Some(topic), REACH_LIMIT)
        .map_err(|error| connection.no_answer(error))?;
    let Some(found) = metadata.topics().first() else {
        return Ok(None);
    };
    match found.error().map(RDKafkaErrorCode::from) {
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::LeaderNotAvailable) => {
            Ok(None)
        }
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => bail!(
            "this user may not use topic {topic} at {}. docs/many-machines.md says which rights its administrator must give",
            connection.servers
        ),
        Some(code) => bail!("Kafka reports a problem with topic {topic}: {code}"),
        None if found.partitions().iter().any(|one| one.leader() < 0) => Ok(None),
        None => Ok(Some(i32::try_from(found.partitions().len())?)),
    }
}
