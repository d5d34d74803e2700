//! Where Kafka and the billing database are, and how long programs wait.

use std::path::PathBuf;
use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;

use crate::{Error, TOPICS, end_with_the_reader};

/// How long the group waits for a silent member before it gives the member's partitions to others, in milliseconds.
///
/// This is librdkafka's `session.timeout.ms`, whose default is 45 s. With ten seconds, students see the effect of a
/// crash within a lesson.
pub const SESSION_TIMEOUT_MS: &str = "10000";

/// How long to wait for Kafka's first answer.
const REACH_TIMEOUT: Duration = Duration::from_secs(8);

/// The brokers to connect to first: `BOOTSTRAP_SERVERS`, or `127.0.0.1:9092` if that is empty or not set.
///
/// `localhost:9092` works, too. But on many systems, this name first stands for the IPv6 address `::1`, on which the
/// lab's Kafka does not listen. The client then reports a failed connection before it tries the other address.
pub fn bootstrap_servers() -> String {
    std::env::var("BOOTSTRAP_SERVERS")
        .ok()
        .filter(|servers| !servers.trim().is_empty())
        .unwrap_or_else(|| "127.0.0.1:9092".to_string())
}

/// The file of the billing database: `BILLING_DB`. If that is empty or not set, the file is `billing.db` in the folder
/// where the program was started.
pub fn billing_db() -> PathBuf {
    std::env::var_os("BILLING_DB")
        .filter(|file| !file.is_empty())
        .map_or_else(|| "billing.db".into(), PathBuf::from)
}

/// Says what to do if Kafka does not answer.
pub fn how_to_reach_kafka() -> &'static str {
    if std::env::var_os("BOOTSTRAP_SERVERS").is_some() {
        "The address comes from BOOTSTRAP_SERVERS. Correct it, or unset it to use the lab's own Kafka (`cargo lab up`)."
    } else {
        "Start it with `cargo lab up`, or set BOOTSTRAP_SERVERS to the address of another cluster."
    }
}

/// Makes sure that Kafka answers and that `topic` exists, as [`require_topics`] does.
///
/// # Errors
/// Those of [`require_topics`].
pub fn require_topic(topic: &str) -> Result<(), Error> {
    require_topics(&[topic])
}

/// Makes sure that Kafka answers and that these topics exist.
///
/// Every program calls this first, because librdkafka itself would keep trying for minutes and print nothing. This also
/// calls [`end_with_the_reader`], so that the program ends quietly when nobody reads its output any more.
///
/// # Errors
/// When Kafka does not answer within 8 seconds, or a topic does not exist or cannot be used. The message says what to
/// do.
pub fn require_topics(topics: &[&str]) -> Result<(), Error> {
    end_with_the_reader();
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers())
        .set_log_level(RDKafkaLogLevel::Emerg)
        .create()?;
    topics.iter().try_for_each(|topic| find(&client, topic))
}

fn find(client: &BaseConsumer, topic: &str) -> Result<(), Error> {
    let servers = bootstrap_servers();
    let metadata = client
        .fetch_metadata(Some(topic), REACH_TIMEOUT)
        .map_err(|error| {
            Error::new(format!(
                "Kafka does not answer at {servers} ({error}). {}",
                how_to_reach_kafka()
            ))
        })?;
    let problem = match metadata.topics().first() {
        Some(found) => found.error().map(RDKafkaErrorCode::from),
        None => Some(RDKafkaErrorCode::UnknownTopic),
    };
    match problem {
        None => Ok(()),
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            let known = TOPICS.iter().find(|(name, _)| *name == topic);
            let partitions = known.map_or(1, |(_, partitions)| *partitions);
            Err(Error::new(format!(
                "Topic {topic} does not exist at {servers}. Create it with `cargo lab kafka-topics --create \
                 --topic {topic} --partitions {partitions} --replication-factor 1`."
            )))
        }
        Some(code) => Err(Error::new(format!(
            "Topic {topic} at {servers} cannot be used: {code}. Try again in a few seconds. If it still fails, \
             run `cargo lab status`."
        ))),
    }
}
