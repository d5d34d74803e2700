//! The lab's Kafka, for commands that need it to be running.

use anyhow::{Result, bail};
use broker::shared::{Place, SharedKafka};
use cluster::Kafka;
use common::CLICKSTREAM;

/// The lab's Kafka.
///
/// # Errors
/// When no Kafka is running, or when the cluster in `BOOTSTRAP_SERVERS` does not answer.
pub fn running() -> Result<SharedKafka> {
    let Some(shared) = SharedKafka::find()? else {
        bail!("no Kafka is running for the lab. `cargo lab up` starts one");
    };
    if let Place::Yours = shared.place() {
        // Fails within seconds if the cluster does not answer. Kafka's tools would try for a minute.
        Kafka::at(&shared.bootstrap).partitions(CLICKSTREAM)?;
    }
    Ok(shared)
}

/// What to say if there is no group of this name.
pub fn no_group(group: &str) -> String {
    format!(
        "There is no consumer group {group}. Either no consumer has joined it yet, or its last member has left and it \
         never committed anything."
    )
}
