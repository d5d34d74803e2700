//! What every lab program shares: where Kafka is, what an event looks like, and how to stop.

mod config;
mod error;
mod event;
mod output;
mod shutdown;

pub use config::{
    ANALYTICS_SERVICE, CLICKSTREAM, CRASH_DEMO_GROUP, SCALE_GROUP, SESSION_TIMEOUT_MS,
    bootstrap_servers, mend, require_topic,
};
pub use error::Error;
pub use event::{Event, EventCounts, EventType};
pub use output::end_with_the_reader;
pub use shutdown::Shutdown;
