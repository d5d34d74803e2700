//! The clickstream event, as it is stored in Kafka.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::Message;
use serde::{Deserialize, Serialize};

use crate::Error;

/// One thing that a user did. Its JSON is the value of a record in `clickstream`; the key is `user_id`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// 0 to 99 within one run of the producer.
    pub event_id: u64,
    /// `user_1` to `user_20`.
    pub user_id: String,
    pub event_type: EventType,
    /// Seconds since 1970.
    pub timestamp: f64,
    /// In dollars, from 10 to 500, with two decimals. Most events have no amount.
    pub amount: Option<f64>,
}

/// What the user did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventType {
    PageView,
    AddToCart,
    Purchase,
    Search,
}

impl EventType {
    /// All types.
    pub const ALL: [Self; 4] = [
        Self::PageView,
        Self::AddToCart,
        Self::Purchase,
        Self::Search,
    ];
}

/// How many events of each type there were. Types that did not occur are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventCounts(pub BTreeMap<EventType, u64>);

impl Event {
    /// Reads the event in a message.
    ///
    /// # Errors
    /// When the payload is not the JSON of an event. The error says where the message is in Kafka.
    pub fn from_message(message: &impl Message) -> Result<Self, Error> {
        let payload = message.payload().unwrap_or_default();
        serde_json::from_slice(payload).map_err(|error| {
            Error::new(format!(
                "topic={} partition={} offset={} does not contain a clickstream event: {error}. \
                 To empty the topic, run `cargo lab reset`.",
                message.topic(),
                message.partition(),
                message.offset()
            ))
        })
    }
}

impl EventCounts {
    /// Counts one more event of this type.
    pub fn add(&mut self, event_type: EventType) {
        *self.0.entry(event_type).or_default() += 1;
    }
}

/// Prints the counts as JSON: `{"page_view":47,"purchase":12}`.
impl fmt::Display for EventCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        f.write_str(&json)
    }
}
