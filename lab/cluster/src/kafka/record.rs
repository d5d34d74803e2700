//! A record of a topic, and what a producer sends.

use std::borrow::Cow;

use anyhow::Result;
use rdkafka::message::{BorrowedMessage, Message};
use serde::{Deserialize, Serialize};

/// What a producer sends: bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    #[serde(with = "as_base64")]
    pub key: Option<Vec<u8>>,
    #[serde(with = "as_base64")]
    pub value: Option<Vec<u8>>,
}

/// Writes bytes as text. As a list of numbers, they would take three times as much space.
mod as_base64 {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::{Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        bytes
            .as_ref()
            .map(|bytes| STANDARD.encode(bytes))
            .serialize(to)
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        let bytes = text.map(|text| STANDARD.decode(text)).transpose();
        bytes.map_err(D::Error::custom)
    }
}

/// A record of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

    /// How many bytes the key and the value have.
    pub fn bytes(&self) -> usize {
        let both = [&self.key, &self.value];
        both.into_iter().flatten().map(Vec::len).sum()
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
