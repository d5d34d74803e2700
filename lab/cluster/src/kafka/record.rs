//! A record of a topic, and what a producer sends.

use std::borrow::Cow;

use anyhow::Result;
use rdkafka::message::{BorrowedMessage, Message};
use serde::Serialize;

/// What a producer sends: bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
}

/// A record of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    pub payload: Payload,
}

impl Payload {
    /// A payload with this key, and with `value` as JSON.
    ///
    /// # Errors
    /// If `value` cannot be written as JSON.
    pub fn of(key: &str, value: &impl Serialize) -> Result<Self> {
        Ok(Self {
            key: Some(key.as_bytes().to_vec()),
            value: Some(serde_json::to_vec(value)?),
        })
    }
}

impl Record {
    /// The key as text; `None` if the record has no key.
    pub fn key(&self) -> Option<Cow<'_, str>> {
        self.payload.key.as_deref().map(String::from_utf8_lossy)
    }

    /// The value as text. It is empty if the record has no value.
    pub fn value(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.payload.value.as_deref().unwrap_or_default())
    }
}

impl From<&BorrowedMessage<'_>> for Record {
    fn from(message: &BorrowedMessage<'_>) -> Self {
        Self {
            partition: message.partition(),
            offset: message.offset(),
            payload: Payload {
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
            },
        }
    }
}
