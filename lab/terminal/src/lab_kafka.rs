//! The lab's Kafka, for commands that need it to run.

use anyhow::{Result, bail};
use broker::shared::{Place, SharedKafka};
use cluster::Kafka;
use common::CLICKSTREAM;

/// The lab's Kafka, which must run.
///
/// # Errors
/// When it does not run, or the cluster that the user named does not answer.
pub fn running() -> Result<SharedKafka> {
    let Some(shared) = SharedKafka::find()? else {
        bail!("no Kafka is running for the lab; `cargo lab up` starts one");
    };
    if let Place::Yours = shared.place() {
        // Kafka's tools would try for a minute.
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
