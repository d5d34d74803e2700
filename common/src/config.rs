//! Where Kafka and the billing database are, and how long programs wait.

use std::path::PathBuf;
use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;

use crate::{Error, TOPICS, end_with_the_reader};

/// How long the group waits for a silent member before it gives its partitions away, in milliseconds
/// (librdkafka's `session.timeout.ms`, whose default is 45 s). Ten seconds make a crash visible within a lesson.
pub const SESSION_TIMEOUT_MS: &str = "10000";

/// How long to wait for Kafka's first answer.
const REACH_TIMEOUT: Duration = Duration::from_secs(8);

/// The brokers to start from: `BOOTSTRAP_SERVERS`, or `localhost:9092`.
pub fn bootstrap_servers() -> String {
    std::env::var("BOOTSTRAP_SERVERS")
        .ok()
        .filter(|servers| !servers.trim().is_empty())
        .unwrap_or_else(|| "localhost:9092".to_string())
}

/// The file of the billing database: `BILLING_DB`, or `billing.db` in the folder that the program was started in.
pub fn billing_db() -> PathBuf {
    std::env::var_os("BILLING_DB")
        .filter(|file| !file.is_empty())
        .map_or_else(|| "billing.db".into(), PathBuf::from)
}

/// What to do where Kafka does not answer.
pub fn mend() -> &'static str {
    if std::env::var_os("BOOTSTRAP_SERVERS").is_some() {
        "BOOTSTRAP_SERVERS says so: correct it, or unset it to use the lab's own Kafka (`cargo lab up`)."
    } else {
        "Start it with `cargo lab up`, or name another cluster in BOOTSTRAP_SERVERS."
    }
}

/// Makes sure that Kafka answers and that `topic` exists.
///
/// librdkafka itself would go on trying, without a word, for minutes. Every program calls this first; from then on it also
/// ends in good order when nobody reads its output any more.
///
/// # Errors
/// After 8 seconds without an answer, or when the topic does not exist: a message that says what to do.
pub fn require_topic(topic: &str) -> Result<(), Error> {
    end_with_the_reader();
    let servers = bootstrap_servers();
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &servers)
        .set_log_level(RDKafkaLogLevel::Emerg)
        .create()?;
    let metadata = client
        .fetch_metadata(Some(topic), REACH_TIMEOUT)
        .map_err(|error| {
            Error::new(format!(
                "Kafka does not answer at {servers} ({error}). {}",
                mend()
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
            "Topic {topic} at {servers} cannot be used: {code}"
        ))),
    }
}
