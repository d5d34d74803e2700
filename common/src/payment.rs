//! The payment, as it is stored in Kafka.

use rdkafka::Message;
use serde::Serialize;
use serde_json::Value;

use crate::Error;

/// An amount that a user must pay. Its JSON is the value of a record in `payments`; the key is `user_id`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Payment {
    /// Says which payment this is, no matter how often it comes. This is the idempotency key.
    pub event_id: String,
    pub user_id: String,
    /// In dollars, above 0.
    pub amount: f64,
    /// Seconds since 1970, or 0 if the message has no timestamp.
    pub timestamp: f64,
}

impl Payment {
    /// Reads the payment in a message.
    ///
    /// # Errors
    /// When the payload is not a payment, which no retry can change. The error says why it is not, and where it
    /// is in Kafka.
    pub fn from_message(message: &impl Message) -> Result<Self, Error> {
        Self::parse(message.payload().unwrap_or_default()).map_err(|why| {
            Error::new(format!(
                "topic={} partition={} offset={} holds no payment: {why:?}",
                message.topic(),
                message.partition(),
                message.offset()
            ))
        })
    }

    /// Reads a payment from a message's payload.
    ///
    /// # Errors
    /// When the payload is not a payment. The error says why it is not.
    pub fn parse(payload: &[u8]) -> Result<Self, Error> {
        let json: Value = serde_json::from_slice(payload)?;
        let text = |field: &str| json.get(field)?.as_str().map(ToString::to_string);
        let number = |field: &str| json.get(field)?.as_f64();
        let event_id = text("event_id").filter(|id| !id.is_empty());
        let amount = number("amount").filter(|amount| amount.is_finite() && *amount > 0.0);
        Ok(Self {
            event_id: event_id.ok_or_else(|| Error::new("no event_id"))?,
            user_id: text("user_id").ok_or_else(|| Error::new("no user_id"))?,
            amount: amount.ok_or_else(|| Error::new("no amount above 0"))?,
            timestamp: number("timestamp").unwrap_or_default(),
        })
    }
}
