//! The records in `purchases`, and how they differ from the purchases in `clickstream`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use common::{CLICKSTREAM, Event, EventType, PURCHASES};
use serde_json::Value;

use cluster::{Isolation, Kafka, Record};

/// How often each event is in `purchases`, by its id, as readers with one isolation level see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purchases(BTreeMap<u64, usize>);

impl Purchases {
    /// Reads the topic. A record without an event id does not count.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub fn read(kafka: &Kafka, isolation: Isolation) -> Result<Self> {
        let mut times = BTreeMap::new();
        for record in kafka.records_as(PURCHASES, isolation)? {
            if let Some(id) = event_id(&json(&record)) {
                *times.entry(id).or_default() += 1;
            }
        }
        Ok(Self(times))
    }

    /// How many records there are of this event.
    pub fn times(&self, id: u64) -> usize {
        self.0.get(&id).copied().unwrap_or_default()
    }

    /// How many records there are of all events.
    pub fn count(&self) -> usize {
        self.0.values().sum()
    }

    /// How many of these events have at least one record.
    pub fn among(&self, ids: &BTreeSet<u64>) -> usize {
        ids.iter().filter(|id| self.times(**id) > 0).count()
    }

    /// How many records have come since `before` that should not have come. An event that had records then should get
    /// no more, and any other event should get only one.
    pub fn extra_since(&self, before: &Self) -> usize {
        let extra = self.0.iter().map(|(id, times)| {
            let allowed = before.times(*id).max(1);
            times.saturating_sub(allowed)
        });
        extra.sum()
    }
}

/// Records in `purchases` that should not be there.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Records of events that are not purchases or have no amount.
    pub unwanted: usize,
    /// Records whose key or value differs from the event with the same id, and records without the id of an event.
    pub changed: usize,
    /// Records that come after one of the same user that is later in `clickstream`.
    pub out_of_order: usize,
    /// The first record of the first two kinds, in words: its key and its value.
    pub example: Option<String>,
}

impl Faults {
    /// Compares `purchases`, as readers with `read_committed` see it, with `clickstream`.
    ///
    /// # Errors
    /// When one of the topics cannot be read.
    pub fn find(kafka: &Kafka) -> Result<Self> {
        let mut faults = Self::default();
        let events: BTreeMap<u64, Record> = kafka
            .records(CLICKSTREAM)?
            .into_iter()
            .filter_map(|record| Some((event_id(&json(&record))?, record)))
            .collect();
        // The last original of each key. All records of a key are in one partition.
        let mut last: BTreeMap<String, i64> = BTreeMap::new();
        for record in kafka.records(PURCHASES)? {
            let value = json(&record);
            let original = event_id(&value).and_then(|id| events.get(&id));
            if let Some((key, original)) = original.and_then(|one| Some((one.key()?, one))) {
                let last = last.entry(key.into_owned()).or_insert(-1);
                faults.out_of_order += usize::from(original.offset < *last);
                *last = original.offset.max(*last);
            }
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
                let key = key.map_or_else(|| "no key".to_string(), |key| format!("the key {key}"));
                format!("{key} and the value {}", record.value())
            });
        }
        Ok(faults)
    }
}

/// The place of each purchase with an amount in `clickstream`, by the event's id: its partition and its offset.
///
/// # Errors
/// When the topic cannot be read.
pub fn places(kafka: &Kafka) -> Result<BTreeMap<u64, (usize, i64)>> {
    let mut places = BTreeMap::new();
    for record in kafka.records(CLICKSTREAM)? {
        // A program may have written something else to the topic.
        if let Some(event) = event(&record).filter(is_wanted) {
            let place = (usize::try_from(record.partition)?, record.offset);
            places.insert(event.event_id, place);
        }
    }
    Ok(places)
}

/// Is it a purchase with an amount? A program must copy only those.
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

/// Do both JSON values mean the same? A number may be written in more than one way, and fields may come in any order.
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
