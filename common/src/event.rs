//! The clickstream event, as it stands in Kafka.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::Message;
use serde::{Deserialize, Serialize};

use crate::Error;

/// One thing a user did. Its JSON is the value of a record in `clickstream`; the key is `user_id`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// 0 to 99 within one run of the producer.
    pub event_id: u64,
    /// `user_1` to `user_20`.
    pub user_id: String,
    pub event_type: EventType,
    /// Seconds since 1970.
    pub timestamp: f64,
    /// Dollars, from 10 to 500 with two decimals. Most events have none.
    pub amount: Option<f64>,
}

/// What kind of thing the user did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventType {
    PageView,
    AddToCart,
    Purchase,
    Search,
}

impl EventType {
    /// Every type there is.
    pub const ALL: [Self; 4] = [
        Self::PageView,
        Self::AddToCart,
        Self::Purchase,
        Self::Search,
    ];
}

/// How many events there were of each type. Types that never came are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventCounts(pub BTreeMap<EventType, u64>);

impl Event {
    /// Reads the event that a message carries.
    ///
    /// # Errors
    /// When the payload is not an event's JSON; the message says where it lies.
    pub fn from_message(message: &impl Message) -> Result<Self, Error> {
        let payload = message.payload().unwrap_or_default();
        serde_json::from_slice(payload).map_err(|error| {
            Error::new(format!(
                "topic={} partition={} offset={} holds no clickstream event: {error}. \
                 (`cargo lab reset` empties the topic.)",
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

/// As JSON: `{"page_view":47,"purchase":12}`.
impl fmt::Display for EventCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        f.write_str(&json)
    }
}
