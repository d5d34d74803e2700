//! Task 1: the checks of the producer.
//!
//! They detect a producer that
//! - publishes the wrong number of events, or events with wrong ids, fields or amounts;
//! - gives events no key or a wrong key, or puts all of them on one partition;
//! - does not report its deliveries, reports them with a wrong position or before the broker has acknowledged them, or
//!   does not report the ones that fail;
//! - ends before the broker has acknowledged all events, or does not ask for `acks=all`;
//! - never ends, or does not say that it is done.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Result;
use broker::spent::{Waiting, count_as};
use common::CLICKSTREAM;
use serde_json::Value;

use crate::Program;
use crate::bench::gate::RequestKind;
use crate::bench::lane::{Lane, Scenario};
use crate::contract::WORK_LIMIT;
use crate::history::logged::Logged;
use crate::history::printed::position;
use crate::verdict::check::{Check, Verdict, verdict};
use cluster::Record;

/// How long to wait for a program that has already taken longer than [`WORK_LIMIT`] once.
const HOPELESS: Duration = Duration::from_secs(3);

/// How long the gate holds back the program's records.
const HELD: Duration = Duration::from_secs(2);

/// How long it holds back those of a program that was seen to wait before.
const HELD_AGAIN: Duration = Duration::from_millis(300);

/// How long the broker may take to log a request that it has answered.
const LOGGED: Duration = Duration::from_secs(5);

/// The largest record that the topic accepts in the run whose records are refused, in bytes.
const MOST_BYTES: u32 = 60;

/// The earliest valid timestamp, in seconds since 1970. It lies before the day on which this lab was written.
const EARLIEST: f64 = 1.7e9;

pub const CHECKS: &[Check] = &[
    Check {
        id: "producer.publishes_100",
        clauses: &["P1"],
        task: 1,
        points: 4,
        title: "publishes exactly 100 events",
        parts: &[publishes_100],
    },
    Check {
        id: "producer.event_ids",
        clauses: &["P1"],
        task: 1,
        points: 2,
        title: "numbers the events from 0 to 99",
        parts: &[event_ids],
    },
    Check {
        id: "producer.event_fields",
        clauses: &["P2"],
        task: 1,
        points: 3,
        title: "gives every event its five fields, with valid values",
        parts: &[event_fields],
    },
    Check {
        id: "producer.amount_share",
        clauses: &["P2"],
        task: 1,
        points: 2,
        title: "gives an amount to about three in ten events",
        parts: &[amount_share],
    },
    Check {
        id: "producer.key_is_user",
        clauses: &["P3"],
        task: 1,
        points: 4,
        title: "keys each event by its user",
        parts: &[key_is_user],
    },
    Check {
        id: "producer.one_partition_a_user",
        clauses: &["P3"],
        task: 1,
        points: 2,
        title: "sends all events of a user to one partition",
        parts: &[one_partition_a_user],
    },
    Check {
        id: "producer.spreads_users",
        clauses: &["P3"],
        task: 1,
        points: 1,
        title: "spreads the users over the partitions",
        parts: &[spreads_users],
    },
    Check {
        id: "producer.reports_deliveries",
        clauses: &["P5"],
        task: 1,
        points: 3,
        title: "reports each delivery with its real partition and offset",
        parts: &[reports_deliveries],
    },
    Check {
        id: "producer.reports_after_acknowledgement",
        clauses: &["P5"],
        task: 1,
        points: 2,
        title: "reports a delivery only after the broker has acknowledged it",
        parts: &[reports_after_acknowledgement],
    },
    Check {
        id: "producer.waits_for_acknowledgements",
        clauses: &["P7"],
        task: 1,
        points: 4,
        title: "waits for every acknowledgment before it ends",
        parts: &[waits_for_acknowledgements],
    },
    Check {
        id: "producer.reports_failures",
        clauses: &["P6"],
        task: 1,
        points: 2,
        title: "reports the records that the broker refuses",
        parts: &[reports_failures],
    },
    Check {
        id: "producer.acks_all",
        clauses: &["P4"],
        task: 1,
        points: 3,
        title: "asks all in-sync replicas to acknowledge",
        parts: &[acks_all],
    },
    Check {
        id: "producer.ends",
        clauses: &["P7", "E5"],
        task: 1,
        points: 1,
        title: "ends by itself and says that it is done",
        parts: &[ends],
    },
];

/// How many events the producer must publish.
const EVENTS: usize = 100;

/// A run whose records the gate held back for [`HELD`] on their way to the broker.
struct Published {
    /// Whether the program was still running after that time, with records that had not been acknowledged.
    waited: bool,
    /// How many deliveries it reported before the broker had acknowledged any record, and whether it said then that it was done.
    early: usize,
    done_early: bool,
    status: Option<ExitStatus>,
    lines: Vec<String>,
    records: Vec<Record>,
    acks: BTreeSet<i64>,
    last_lines: String,
}

const PUBLISHED: Scenario<Published> = Scenario {
    name: "published",
    run: published,
};

fn published(lane: &Lane) -> Result<Published> {
    lane.hold(RequestKind::Produce);
    let mut producer = lane.start("producer")?;
    let came = wait_for_first_record(lane, &mut producer, WORK_LIMIT)?;
    if came {
        let _held = count_as(Waiting::Check);
        producer.end_within(HELD)?;
    }
    let waited = producer.is_running()? && lane.is_holding();
    let by_then = producer.texts();
    if waited {
        lane.release();
    } else {
        // The program did not wait for the broker's answer, so the records that it left behind are lost.
        lane.turn_away();
    }
    let status = producer.end_within(if came { WORK_LIMIT } else { HOPELESS })?;
    let lines = producer.texts();
    // A program that has already ended printed all its lines before the broker acknowledged anything.
    let early = delivered(if waited { &by_then } else { &lines }).len();
    let records = lane.kafka().records(CLICKSTREAM)?;
    let mut acks = BTreeSet::new();
    lane.logged_within(LOGGED, || {
        let requests = lane.requests_of_programs("PRODUCE")?;
        acks.extend(requests.iter().filter_map(Logged::acks));
        Ok((records.is_empty() || !acks.is_empty()).then_some(()))
    })?;
    Ok(Published {
        waited,
        early,
        done_early: waited
            && by_then
                .iter()
                .any(|line| line.trim_start().starts_with("Done. Published")),
        status,
        lines,
        records,
        acks,
        last_lines: producer.last_lines(),
    })
}

/// Waits until the gate holds back a record, or the program ends. Returns whether one of the two happened within `limit`.
fn wait_for_first_record(lane: &Lane, producer: &mut Program, limit: Duration) -> Result<bool> {
    let is_held = producer.until(limit, || Ok(lane.is_holding()))?;
    Ok(is_held || !producer.is_running()?)
}

/// A run on a topic that accepts only records of at most [`MOST_BYTES`] bytes.
struct Refused {
    /// How many lines report a failed delivery, and how many requests with records the broker refused.
    failed: usize,
    refused: usize,
    /// How many lines report a delivery.
    delivered: usize,
    /// Whether the program was still running when the broker refused its records.
    waited: bool,
    ended: bool,
}

const REFUSED: Scenario<Refused> = Scenario {
    name: "refused",
    run: refused,
};

fn refused(lane: &Lane) -> Result<Refused> {
    // The other run comes first, because it needs a topic that accepts every record.
    let before = lane.evidence(PUBLISHED)?;
    let limit = if before.status.is_some() {
        WORK_LIMIT
    } else {
        HOPELESS
    };
    lane.kafka()
        .set_topic_config(CLICKSTREAM, "max.message.bytes", &MOST_BYTES.to_string())?;
    lane.note(format!(
        "the topic now accepts only records of at most {MOST_BYTES} bytes"
    ));
    // The records are held back first, so the refusal reaches the program only if it waits for the broker's answer.
    lane.hold(RequestKind::Produce);
    let mut producer = lane.start("producer")?;
    if wait_for_first_record(lane, &mut producer, limit)? {
        let _held = count_as(Waiting::Check);
        producer.end_within(if before.waited { HELD_AGAIN } else { HELD })?;
    }
    let waited = producer.is_running()?;
    lane.release();
    let ended = producer.end_within(limit)?.is_some();
    let lines = producer.texts();
    let failed = lines.iter().filter(|line| line.contains("FAILED")).count();
    let refused = || {
        let requests = lane.requests_of_programs("PRODUCE")?;
        let is_refused = |one: &&Logged| one.produced().any(|part| part.error_code != 0);
        anyhow::Ok(requests.iter().filter(is_refused).count())
    };
    lane.logged_within(LOGGED, || Ok((refused()? > 0).then_some(())))?;
    Ok(Refused {
        failed,
        refused: refused()?,
        delivered: delivered(&lines).len(),
        waited,
        ended,
    })
}

/// Returns the partition and offset of each delivery that was reported.
fn delivered(lines: &[String]) -> Vec<(i32, i64)> {
    let reports = lines
        .iter()
        .filter(|line| line.trim_start().starts_with("Delivered"));
    reports.filter_map(|line| position(line)).collect()
}

/// Returns what a check of the events saw: that none arrived, or else what `saw` returns.
fn of_events(records: &[Record], saw: impl FnOnce() -> String) -> String {
    if records.is_empty() {
        "no event arrived".to_string()
    } else {
        saw()
    }
}

fn publishes_100(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(PUBLISHED)?;
    Ok(verdict(
        run.records.len() == 100,
        "100 events in the topic clickstream",
        format!("{} events. {}", run.records.len(), run.last_lines),
        "Which topic does your loop send to, and how often? Does the program end before all events have been sent?",
    ))
}

/// Returns the events that are JSON objects.
fn events(records: &[Record]) -> Vec<Value> {
    let parsed = records
        .iter()
        .filter_map(|record| serde_json::from_str(&record.value()).ok());
    parsed.filter(Value::is_object).collect()
}

fn event_ids(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(PUBLISHED)?;
    let ids: BTreeSet<i64> = events(&run.records)
        .iter()
        .filter_map(|event| event["event_id"].as_i64())
        .collect();
    let unexpected: Vec<&i64> = ids.iter().filter(|id| !(0..100).contains(*id)).collect();
    let in_range = ids.len() - unexpected.len();
    Ok(verdict(
        // Another check counts the events. This one only judges the ids of those that arrived.
        !run.records.is_empty() && ids.len() == run.records.len().min(100) && unexpected.is_empty(),
        "`event_id` from 0 to 99, each exactly once",
        of_events(&run.records, || {
            let mut saw = format!("{in_range} different ids from 0 to 99");
            if !unexpected.is_empty() {
                saw += &format!(", and also {unexpected:?}");
            }
            saw
        }),
        "Where does your program get the id of each event? What are the first and the last value?",
    ))
}

fn event_fields(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(PUBLISHED)?;
    let wrong: Vec<&Record> = run
        .records
        .iter()
        .filter(|record| fault(record).is_some())
        .collect();
    let saw = match wrong.first() {
        None => format!("{} valid events", run.records.len()),
        Some(first) => format!(
            "{} of {} events are wrong. The first of them {}: {}",
            wrong.len(),
            run.records.len(),
            fault(first).unwrap_or_default(),
            first.value()
        ),
    };
    Ok(verdict(
        !run.records.is_empty() && wrong.is_empty(),
        "JSON with event_id (an integer), user_id (user_1 to user_20), event_type (one of four), timestamp (in seconds \
         since 1970), and amount (from 10 to 500 with at most two decimals, or null)",
        of_events(&run.records, || saw),
        "Compare this event with the one in docs/contract.md, field by field.",
    ))
}

/// Returns what is wrong with an event. Another check judges how many events have an amount.
fn fault(record: &Record) -> Option<&'static str> {
    let Ok(event) = serde_json::from_str::<Value>(&record.value()) else {
        return Some("is not valid JSON");
    };
    let user = event["user_id"]
        .as_str()
        .and_then(|user| user.strip_prefix("user_")?.parse().ok());
    let amount = &event["amount"];
    if !event["event_id"].is_i64() {
        return Some("has a missing or wrong event_id");
    }
    if !user.is_some_and(|number: u32| (1..=20).contains(&number)) {
        return Some("has a missing or wrong user_id");
    }
    let event_type = serde_json::from_value::<common::EventType>(event["event_type"].clone());
    if event_type.is_err() {
        return Some("has a missing or wrong event_type");
    }
    if !event["timestamp"]
        .as_f64()
        .is_some_and(|seconds| (EARLIEST..10.0 * EARLIEST).contains(&seconds))
    {
        return Some("has a missing or wrong timestamp");
    }
    let in_range = |amount: f64| {
        let cents = amount * 100.0;
        (10.0..=500.0).contains(&amount) && (cents - cents.round()).abs() < 1e-6
    };
    if !(amount.is_null() || amount.as_f64().is_some_and(in_range)) {
        return Some("has a wrong amount");
    }
    None
}

fn amount_share(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(PUBLISHED)?;
    let with = events(&run.records)
        .iter()
        .filter(|event| !event["amount"].is_null())
        .count();
    let percent = 100 * with / run.records.len().max(1);
    Ok(verdict(
        // The limits are six standard deviations away from 30: a correct program fails by chance once in a billion runs.
        !run.records.is_empty() && (3..=58).contains(&percent),
        "an amount in about 30 of 100 events, and null in the others",
        of_events(&run.records, || {
            format!("an amount in {with} of {} events", run.records.len())
        }),
        "How does your program decide whether an event has an amount? What does it publish if not?",
    ))
}

fn key_is_user(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(PUBLISHED)?;
    let is_keyed = |record: &&Record| {
        let event: Value = serde_json::from_str(&record.value()).unwrap_or_default();
        record.key().is_some() && record.key().as_deref() == event["user_id"].as_str()
    };
    let keyed = run.records.iter().filter(is_keyed).count();
    let other = run.records.iter().find(|record| !is_keyed(record));
    let saw = match other.map(|record| (record.key(), record.value())) {
        None => format!("{keyed} of {keyed} events have this key"),
        Some((None, value)) => format!(
            "{keyed} of {} events have this key. The first other event has no key: {value}",
            run.records.len()
        ),
        Some((Some(key), value)) => format!(
            "{keyed} of {} events have this key. The first other event has the key {key}: {value}",
            run.records.len()
        ),
    };
    Ok(verdict(
        !run.records.is_empty() && other.is_none(),
        "the user_id of each event as its key",
        of_events(&run.records, || saw),
        "What decides which partition a record goes to?",
    ))
}

fn partitions_by_user(records: &[Record]) -> BTreeMap<String, BTreeSet<i32>> {
    let mut partitions: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for record in records {
        let event: Value = serde_json::from_str(&record.value()).unwrap_or_default();
        let user = event["user_id"].as_str().unwrap_or_default().to_string();
        partitions.entry(user).or_default().insert(record.partition);
    }
    partitions
}

fn one_partition_a_user(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(PUBLISHED)?;
    let users = partitions_by_user(&run.records);
    let scattered: Vec<String> = users
        .iter()
        .filter(|(_, partitions)| partitions.len() > 1)
        .map(|(user, partitions)| format!("{user} on {partitions:?}"))
        .collect();
    let without_key = run.records.iter().filter(|r| r.key().is_none()).count();
    Ok(verdict(
        // Even without keys, all events may be on one partition: librdkafka chooses one partition for all records that come
        // within 10 ms (`sticky.partitioning.linger.ms`).
        !users.is_empty() && scattered.is_empty() && without_key == 0,
        "all events of a user on one partition, because they have the same key",
        of_events(&run.records, || match scattered.first() {
            _ if without_key > 0 => format!(
                "{without_key} of {} events have no key, so nothing keeps the events of a user together",
                run.records.len()
            ),
            None => format!("{} users, each on one partition", users.len()),
            Some(first) => format!(
                "{} of {} users are on several partitions. The first of them: {first}",
                scattered.len(),
                users.len()
            ),
        }),
        "If a consumer needs all events of one user, which partitions does it have to read?",
    ))
}

fn spreads_users(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(PUBLISHED)?;
    let used: BTreeSet<i32> = run.records.iter().map(|record| record.partition).collect();
    let no_keys = run.records.iter().all(|r| r.key().is_none());
    Ok(verdict(
        // A hash of the key never puts all twenty users on one partition. Without keys, luck decides: the client chooses a
        // partition for each batch.
        used.len() > 1 && !no_keys,
        "events on several partitions, chosen by their keys",
        of_events(&run.records, || {
            if no_keys {
                "no event has a key, so nothing spreads the users".to_string()
            } else {
                format!("events on partitions {used:?}")
            }
        }),
        "What chooses the partition: the hash of the key, or your program?",
    ))
}

fn reports_deliveries(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(PUBLISHED)?;
    let reported = delivered(&run.lines);
    let different: BTreeSet<_> = reported.iter().copied().collect();
    let held: BTreeSet<_> = run
        .records
        .iter()
        .map(|record| (record.partition, record.offset))
        .collect();
    let right = different.intersection(&held).count();
    Ok(verdict(
        // Another check counts the events. This one only judges the reports on those that arrived.
        !held.is_empty() && right == held.len() && reported.len() == held.len(),
        "for each event, one line `Delivered → topic=clickstream partition=P offset=O` with its real partition and offset",
        of_events(&run.records, || {
            format!(
                "{} such lines, which match {right} of the {} events",
                reported.len(),
                held.len()
            )
        }),
        "The client calls your callback once for each record. Does the callback print? Does your program give the client a \
         chance to call it?",
    ))
}

fn reports_after_acknowledgement(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(PUBLISHED)?;
    let all = delivered(&run.lines).len();
    Ok(verdict(
        run.early == 0 && all > 0,
        "reported deliveries, but none before the broker has acknowledged a record",
        format!(
            "{all} reported deliveries, {} of them before the broker acknowledged any record",
            run.early
        ),
        "Sent does not mean delivered. Who knows when a record has arrived?",
    ))
}

fn waits_for_acknowledgements(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(PUBLISHED)?;
    let saw = if run.waited {
        format!("it waited, and {} events arrived", run.records.len())
    } else {
        format!(
            "it did not wait, and {} events arrived. {}",
            run.records.len(),
            run.last_lines
        )
    };
    Ok(verdict(
        run.waited,
        format!(
            "a program that waits while its records are held back for {} s on their way to the broker",
            HELD.as_secs()
        ),
        saw,
        "What happens to records that are still in the client when the program ends?",
    ))
}

fn reports_failures(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(REFUSED)?;
    Ok(verdict(
        // A program may stop at the first failure; but each refused request had at least one record. Java's producer splits a
        // refused batch and sends it again, so there may be more requests than records.
        run.waited
            && run.refused > 0
            && run.failed >= run.refused.min(EVENTS)
            && run.delivered == 0
            && run.ended,
        format!(
            "`Delivery FAILED: reason` for the records that the broker refuses (for this check, it accepts at most \
             {MOST_BYTES} bytes per record), no `Delivered`, and then the end of the program"
        ),
        format!(
            "{} reported failures and {} reported deliveries; the broker refused {} requests with records{}",
            run.failed,
            run.delivered,
            run.refused,
            if !run.waited {
                "; it ended before the broker refused anything"
            } else if !run.ended {
                "; it did not end"
            } else {
                ""
            }
        ),
        "The client calls the callback for failures, too. What does your callback do then?",
    ))
}

fn acks_all(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(PUBLISHED)?;
    let acks: Vec<String> = run
        .acks
        .iter()
        .map(|acks| {
            if *acks == -1 {
                "all".to_string()
            } else {
                acks.to_string()
            }
        })
        .collect();
    Ok(verdict(
        !run.acks.is_empty() && run.acks.iter().all(|acks| *acks == -1),
        "`acks=all` in every request that contains records",
        if acks.is_empty() {
            "the broker received no such request".to_string()
        } else {
            format!("acks={}", acks.join(" and "))
        },
        "Which setting says how many replicas must have a record before it counts as delivered?",
    ))
}

fn ends(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(PUBLISHED)?;
    let done = run.lines.iter().any(|line| line.contains("Done"));
    Ok(verdict(
        !run.records.is_empty()
            && done
            && !run.done_early
            && run.status.is_some_and(|status| status.success()),
        "after all events are acknowledged, the line `Done. Published 100 events.` and exit status 0",
        match run.status {
            _ if run.records.is_empty() => "no event arrived".to_string(),
            _ if run.done_early => {
                "it said that it was done before any event was acknowledged".to_string()
            }
            Some(status) => format!("{status}. {}", run.last_lines),
            None => format!(
                "still running after {} s. {}",
                WORK_LIMIT.as_secs(),
                run.last_lines
            ),
        },
        "What could keep your program from reaching its last line?",
    ))
}
