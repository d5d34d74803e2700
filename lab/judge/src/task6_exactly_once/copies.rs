//! Task 6: what stands in `purchases`, held against the clickstream.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use common::{CLICKSTREAM, Event, EventType, PURCHASES};
use serde_json::Value;

use cluster::{Isolation, Kafka, Record};

/// How often each event stands in `purchases`, by its id, as readers of one isolation see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copies(BTreeMap<u64, usize>);

impl Copies {
    /// Reads `purchases`. What names no event is not counted.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(kafka: &Kafka, isolation: Isolation) -> Result<Self> {
        let mut times = BTreeMap::new();
        for record in kafka.records_as(PURCHASES, isolation)? {
            if let Some(id) = event_id(&json(&record)) {
                *times.entry(id).or_default() += 1;
            }
        }
        Ok(Self(times))
    }

    /// How often this event stands there.
    pub fn of(&self, id: u64) -> usize {
        self.0.get(&id).copied().unwrap_or_default()
    }

    /// How many records there are of events.
    pub fn count(&self) -> usize {
        self.0.values().sum()
    }

    /// How many of these events stand there at all.
    pub fn among(&self, ids: &BTreeSet<u64>) -> usize {
        ids.iter().filter(|id| self.of(**id) > 0).count()
    }

    /// How many copies have come since `before` of what had been copied then, or have come more than once since.
    pub fn too_many_since(&self, before: &Self) -> usize {
        let extra = self.0.iter().map(|(id, times)| {
            let allowed = before.of(*id).max(1);
            times.saturating_sub(allowed)
        });
        extra.sum()
    }
}

/// What stands in `purchases` and should not.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Records of events that are no purchase, or have no amount.
    pub unwanted: usize,
    /// Records with another key or another value than the event that they name, or that name none.
    pub changed: usize,
    /// The first such record.
    pub example: Option<String>,
}

impl Faults {
    /// Compares `purchases`, as readers with `read_committed` see it, with the clickstream.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn find(kafka: &Kafka) -> Result<Self> {
        let mut faults = Self::default();
        let events: BTreeMap<u64, Record> = kafka
            .records(CLICKSTREAM)?
            .into_iter()
            .filter_map(|record| Some((event_id(&json(&record))?, record)))
            .collect();
        for record in kafka.records(PURCHASES)? {
            let value = json(&record);
            let original = event_id(&value).and_then(|id| events.get(&id));
            let fault = match original {
                Some(original) if !event(original).is_some_and(|event| is_wanted(&event)) => {
                    &mut faults.unwanted
                }
                Some(original)
                    if original.key() == record.key() && same_meaning(&value, &json(original)) =>
                {
                    continue;
                }
                _ => &mut faults.changed,
            };
            *fault += 1;
            faults.example.get_or_insert_with(|| {
                let key = record.key();
                format!(
                    "key {}: {}",
                    key.as_deref().unwrap_or("none"),
                    record.value()
                )
            });
        }
        Ok(faults)
    }
}

/// Where each purchase with an amount lies in the clickstream, by its id: partition and offset.
///
/// # Errors
/// When it cannot be read.
pub fn places(kafka: &Kafka) -> Result<BTreeMap<u64, (usize, i64)>> {
    let mut places = BTreeMap::new();
    for record in kafka.records(CLICKSTREAM)? {
        // What a program has added is no event of ours.
        if let Some(event) = event(&record).filter(is_wanted) {
            let place = (usize::try_from(record.partition)?, record.offset);
            places.insert(event.event_id, place);
        }
    }
    Ok(places)
}

/// Is it a purchase with an amount? Only those are to be copied.
pub fn is_wanted(event: &Event) -> bool {
    event.event_type == EventType::Purchase && event.amount.is_some()
}

fn event(record: &Record) -> Option<Event> {
    serde_json::from_str(&record.value()).ok()
}

fn json(record: &Record) -> Value {
    serde_json::from_str(&record.value()).unwrap_or_default()
}

fn event_id(value: &Value) -> Option<u64> {
    value["event_id"].as_u64()
}

/// A number may be written in more than one way, and fields may come in any order.
fn same_meaning(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(field, value)| {
                    let there = other.get(field);
                    there.is_some_and(|there| same_meaning(value, there))
                })
        }
        _ => one == other,
    }
}
