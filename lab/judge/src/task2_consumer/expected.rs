//! The events between two positions of a group: what a run that moved it from one to the other must have processed.

use std::collections::BTreeMap;

use anyhow::Result;
use common::{CLICKSTREAM, Event, EventType};

use cluster::Kafka;

/// What there is to tell about these events.
#[derive(Clone, Debug, Default)]
pub struct Slice {
    /// How many of each type.
    pub counts: BTreeMap<String, u64>,
    /// The purchases with an amount: user and cents, sorted.
    pub purchases: Vec<(String, i64)>,
}

impl Slice {
    /// The events of `clickstream` from the committed offsets `from` on. No commit is the beginning.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub fn from(kafka: &Kafka, from: &[Option<i64>]) -> Result<Self> {
        let ends = kafka.ends(CLICKSTREAM)?;
        Self::of(kafka, from, &ends.into_iter().map(Some).collect::<Vec<_>>())
    }

    /// The events of `clickstream` from the committed offsets `from` up to `to`. No commit is the beginning.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub fn of(kafka: &Kafka, from: &[Option<i64>], to: &[Option<i64>]) -> Result<Self> {
        let mut slice = Self::default();
        for record in kafka.records(CLICKSTREAM)? {
            let at = |offsets: &[Option<i64>]| {
                let partition = usize::try_from(record.partition).unwrap_or(usize::MAX);
                offsets.get(partition).copied().flatten().unwrap_or(0)
            };
            if !(at(from)..at(to)).contains(&record.offset) {
                continue;
            }
            // What a program has added is no event of ours.
            let Ok(event) = serde_json::from_str::<Event>(&record.value()) else {
                continue;
            };
            let event_type = serde_json::to_value(event.event_type)?;
            *slice
                .counts
                .entry(event_type.as_str().unwrap_or_default().to_string())
                .or_default() += 1;
            if let (EventType::Purchase, Some(amount)) = (event.event_type, event.amount) {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "amounts are at most 500 dollars"
                )]
                slice
                    .purchases
                    .push((event.user_id, (amount * 100.0).round() as i64));
            }
        }
        slice.purchases.sort();
        Ok(slice)
    }
}
