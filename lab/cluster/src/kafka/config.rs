//! The configuration that all our clients share.

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

use crate::wire::OBSERVER;

/// The configuration of a client that starts from this address.
pub fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("client.id", OBSERVER)
        // Otherwise, if the cluster allows it, a producer's question about a topic would create the topic.
        .set("allow.auto.create.topics", "false")
        .set_log_level(RDKafkaLogLevel::Emerg);
    config
}
