//! What all lab programs share: where Kafka is, what an event looks like, and how to stop.

mod config;
mod error;
mod event;
mod names;
mod output;
mod payment;
mod rebalanced;
mod received;
mod shutdown;
mod undelivered;

pub use config::{
    SESSION_TIMEOUT_MS, billing_db, bootstrap_servers, how_to_reach_kafka, require_topic,
    require_topics,
};
pub use error::Error;
pub use event::{Event, EventCounts, EventType};
pub use names::{
    ANALYTICS_SERVICE, BILLING_SERVICE, CLICKSTREAM, CRASH_DEMO_GROUP, GROUPS, PAYMENTS,
    PAYMENTS_DLQ, PURCHASE_EXTRACTOR, PURCHASES, SCALE_GROUP, TOPICS,
};
pub use output::end_with_the_reader;
pub use payment::Payment;
pub use rebalanced::Rebalanced;
pub use received::{is_about_the_connection, received};
pub use shutdown::Shutdown;
pub use undelivered::Undelivered;
