//! Task 2: what the consumer must print about the events that it read.

use anyhow::Result;
use common::{CLICKSTREAM, Event, EventType};

use crate::data::money::to_cents;
use crate::task2_consumer::output::{Counts, Purchase};
use cluster::Kafka;

/// What a run must print about the events between two committed offsets of its group.
#[derive(Clone, Debug, Default)]
pub struct ExpectedOutput {
    pub counts: Counts,
    /// The purchases that have an amount, sorted.
    pub purchases: Vec<Purchase>,
}

impl ExpectedOutput {
    /// Reads all events of `clickstream` from the committed offsets `from` to the end. A partition without a committed offset
    /// is read from its beginning.
    ///
    /// # Errors
    /// If the topic cannot be read.
    pub fn since(kafka: &Kafka, from: &[Option<i64>]) -> Result<Self> {
        let ends = kafka.ends(CLICKSTREAM)?;
        Self::between(kafka, from, &ends.into_iter().map(Some).collect::<Vec<_>>())
    }

    /// Reads the events of `clickstream` from the committed offsets `from` up to the committed offsets `to`. In a partition,
    /// no committed offset means the beginning.
    ///
    /// # Errors
    /// If the topic cannot be read.
    pub fn between(kafka: &Kafka, from: &[Option<i64>], to: &[Option<i64>]) -> Result<Self> {
        let mut expected = Self::default();
        for record in kafka.records(CLICKSTREAM)? {
            let at = |offsets: &[Option<i64>]| {
                let partition = usize::try_from(record.partition).unwrap_or(usize::MAX);
                offsets.get(partition).copied().flatten().unwrap_or(0)
            };
            if !(at(from)..at(to)).contains(&record.offset) {
                continue;
            }
            // A program may have published something else.
            let Ok(event) = serde_json::from_str::<Event>(&record.value()) else {
                continue;
            };
            let event_type = serde_json::to_value(event.event_type)?;
            *expected
                .counts
                .entry(event_type.as_str().unwrap_or_default().to_string())
                .or_default() += 1;
            if let (EventType::Purchase, Some(amount)) = (event.event_type, event.amount) {
                expected.purchases.push((event.user_id, to_cents(amount)));
            }
        }
        expected.purchases.sort();
        Ok(expected)
    }
}
