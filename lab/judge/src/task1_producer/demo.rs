//! Task 1: the producer publishes 100 events, reports each delivery, and spreads the events over the partitions by their
//! keys. Then an answer of the broker is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use common::{CLICKSTREAM, Event};

use crate::Stage;
use crate::history::printed::position;
use crate::task1_producer::lost_answer;
use cluster::Record;
use cluster::table;

/// How long the producer may take.
const LIMIT: Duration = Duration::from_secs(60);

/// How many events each user has in each partition.
type Spread = BTreeMap<String, BTreeMap<i32, usize>>;

/// Runs the producer once, and shows what a lost answer leads to.
///
/// # Errors
/// If the producer does not end within 60 s, or the cluster does not answer.
pub fn run(stage: &mut Stage) -> Result<()> {
    let before = stage.kafka.ends(CLICKSTREAM)?;
    let mut producer = stage.start("producer")?;
    let status = producer.wait_for_end(LIMIT)?;
    let lines = producer.texts();
    stage.show("producer", &lines, 3, 2);

    let mut records = stage.kafka.records(CLICKSTREAM)?;
    records.retain(|record| is_new(record, &before));
    let spread = spread(&records);
    stage.say("What Kafka holds now:");
    stage.say(distribution(&records, &spread));

    stage.find(
        1,
        "the producer publishes 100 events and then ends",
        records.len() == 100 && status.success(),
        format!("{} events in {CLICKSTREAM}, {status}", records.len()),
    );
    let reported: BTreeSet<_> = lines
        .iter()
        .filter(|line| line.contains("Delivered"))
        .filter_map(|line| position(line))
        .collect();
    let held: BTreeSet<_> = records.iter().map(|r| (r.partition, r.offset)).collect();
    stage.find(
        1,
        "the producer reports every delivery with its partition and offset",
        !held.is_empty() && reported == held,
        format!(
            "{} of {} deliveries reported",
            reported.intersection(&held).count(),
            held.len()
        ),
    );
    let scattered = spread
        .values()
        .filter(|partitions| partitions.len() > 1)
        .count();
    let keyed = records
        .iter()
        .filter(|record| is_keyed_by_user(record))
        .count();
    stage.find(
        1,
        "all events of a user land on the same partition",
        !spread.is_empty() && scattered == 0 && keyed == records.len(),
        format!(
            "{} users, {scattered} of them on several partitions",
            spread.len()
        ),
    );
    lost_answer::run(stage)
}

/// Whether a record is at or behind the end offsets `before` of its topic.
fn is_new(record: &Record, before: &[i64]) -> bool {
    usize::try_from(record.partition)
        .is_ok_and(|p| before.get(p).is_some_and(|end| record.offset >= *end))
}

fn event(record: &Record) -> Option<Event> {
    serde_json::from_str(&record.value()).ok()
}

fn is_keyed_by_user(record: &Record) -> bool {
    event(record).is_some_and(|event| record.key() == Some(event.user_id.into()))
}

/// Counts the events of each user in each partition.
fn spread(records: &[Record]) -> Spread {
    let mut spread = Spread::new();
    for record in records {
        if let Some(event) = event(record) {
            *spread
                .entry(event.user_id)
                .or_default()
                .entry(record.partition)
                .or_default() += 1;
        }
    }
    spread
}

/// Returns a table of the partitions, with the number of events and the users in each.
fn distribution(records: &[Record], spread: &Spread) -> String {
    let partitions: BTreeSet<i32> = records.iter().map(|record| record.partition).collect();
    let rows = partitions.into_iter().map(|partition| {
        let events = records
            .iter()
            .filter(|record| record.partition == partition)
            .count();
        let mut users: Vec<(u32, String)> = spread
            .iter()
            .filter_map(|(user, partitions)| {
                let number = user.trim_start_matches("user_").parse().unwrap_or(0);
                Some((number, format!("{user} ({})", partitions.get(&partition)?)))
            })
            .collect();
        users.sort();
        let users: Vec<String> = users.into_iter().map(|(_, text)| text).collect();
        [partition.to_string(), events.to_string(), users.join(", ")]
    });
    table(&["partition", "events", "users (events)"], &[0, 1], rows)
}
