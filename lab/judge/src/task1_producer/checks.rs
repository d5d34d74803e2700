//! Task 1: the checks of the producer.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Result;
use broker::wait;
use common::CLICKSTREAM;
use serde_json::Value;

use crate::Program;
use crate::bench::gate::Request;
use crate::bench::lane::Lane;
use crate::history::printed::position;
use crate::verdict::check::{Check, Verdict, verdict};
use cluster::Record;

/// How long a program may take to come to its first record, and to its end.
const LIMIT: Duration = Duration::from_secs(20);

/// And to its end, where it has not come to anything before.
const HOPELESS: Duration = Duration::from_secs(3);

/// How long its records stay unanswered.
const HELD: Duration = Duration::from_secs(2);

/// How long the broker may take to log what it has answered.
const LOGGED: Duration = Duration::from_secs(5);

/// Seconds since 1970 in which this lab was written; a timestamp before is none.
const EARLIEST: f64 = 1.7e9;

pub const CHECKS: &[Check] = &[
    Check {
        id: "producer.publishes_100",
        task: 1,
        points: 4,
        title: "publishes exactly 100 events",
        judge: publishes_100,
    },
    Check {
        id: "producer.event_ids",
        task: 1,
        points: 2,
        title: "numbers the events 0 to 99",
        judge: event_ids,
    },
    Check {
        id: "producer.event_fields",
        task: 1,
        points: 3,
        title: "gives every event its five fields, in their ranges",
        judge: event_fields,
    },
    Check {
        id: "producer.amount_share",
        task: 1,
        points: 2,
        title: "gives about three events in ten an amount",
        judge: amount_share,
    },
    Check {
        id: "producer.key_is_user",
        task: 1,
        points: 4,
        title: "keys each event by its user",
        judge: key_is_user,
    },
    Check {
        id: "producer.one_partition_a_user",
        task: 1,
        points: 2,
        title: "has all events of a user on one partition",
        judge: one_partition_a_user,
    },
    Check {
        id: "producer.spreads_users",
        task: 1,
        points: 1,
        title: "spreads the users over the partitions",
        judge: spreads_users,
    },
    Check {
        id: "producer.reports_deliveries",
        task: 1,
        points: 3,
        title: "reports each delivery with its real partition and offset",
        judge: reports_deliveries,
    },
    Check {
        id: "producer.reports_after_acknowledgement",
        task: 1,
        points: 2,
        title: "reports a delivery only once the broker has acknowledged it",
        judge: reports_after_acknowledgement,
    },
    Check {
        id: "producer.waits_for_acknowledgements",
        task: 1,
        points: 4,
        title: "waits for every acknowledgement before it ends",
        judge: waits_for_acknowledgements,
    },
    Check {
        id: "producer.reports_failures",
        task: 1,
        points: 2,
        title: "reports the deliveries that the broker refuses",
        judge: reports_failures,
    },
    Check {
        id: "producer.acks_all",
        task: 1,
        points: 3,
        title: "asks for the acknowledgement of all in-sync replicas",
        judge: acks_all,
    },
    Check {
        id: "producer.ends",
        task: 1,
        points: 1,
        title: "ends by itself and says that it is done",
        judge: ends,
    },
];

/// One run, whose records were held back on their way to the broker for two seconds.
struct Published {
    /// Was it still there, with records that nobody had acknowledged?
    waited: bool,
    /// Deliveries that it reported while nothing was acknowledged.
    early: usize,
    status: Option<ExitStatus>,
    lines: Vec<String>,
    records: Vec<Record>,
    acks: BTreeSet<i64>,
    last_lines: String,
}

fn published(lane: &Lane) -> Result<Published> {
    lane.hold(Request::Produce);
    let mut producer = lane.start("producer")?;
    let came = wait_for_first_record(lane, &mut producer, LIMIT)?;
    if came {
        producer.end_within(HELD)?;
    }
    let waited = producer.is_running()? && lane.is_holding();
    let by_then = producer.texts();
    if waited {
        lane.release();
    } else {
        // Who does not wait for an answer will never know that there was none.
        lane.turn_away();
    }
    let status = producer.end_within(if came { LIMIT } else { HOPELESS })?;
    let lines = producer.texts();
    // Who has ended by then has printed all before anything was acknowledged.
    let early = delivered(if waited { &by_then } else { &lines }).len();
    let records = lane.kafka().records(CLICKSTREAM)?;
    // The broker logs what it has answered, so a little late.
    let mut acks = BTreeSet::new();
    wait::up_to(LOGGED, || {
        let requests = lane.requests_of_programs("PRODUCE")?;
        acks.extend(
            requests
                .iter()
                .filter_map(|r| r["request"]["acks"].as_i64()),
        );
        Ok((records.is_empty() || !acks.is_empty()).then_some(()))
    })?;
    Ok(Published {
        waited,
        early,
        status,
        lines,
        records,
        acks,
        last_lines: producer.last_lines(),
    })
}

/// Waits until a record is held back. Returns whether anything came of the program: that, or its end.
fn wait_for_first_record(lane: &Lane, producer: &mut Program, limit: Duration) -> Result<bool> {
    let is_held = producer.until(limit, || Ok(lane.is_holding()))?;
    Ok(is_held || !producer.is_running()?)
}

/// One run on a topic that takes no record of more than 60 bytes.
struct Refused {
    failed: usize,
    delivered: usize,
    /// Was it still there when the refusal came?
    waited: bool,
    ended: bool,
}

fn refused(lane: &Lane) -> Result<Refused> {
    // First what needs a topic that takes everything.
    let before = lane.evidence(published)?;
    let limit = if before.status.is_some() {
        LIMIT
    } else {
        HOPELESS
    };
    lane.kafka()
        .set_topic_config(CLICKSTREAM, "max.message.bytes", "60")?;
    lane.note("the topic takes no record of more than 60 bytes now");
    // The refusal comes a little late, so that it reaches only those who wait for it.
    lane.hold(Request::Produce);
    let mut producer = lane.start("producer")?;
    if wait_for_first_record(lane, &mut producer, limit)? {
        producer.end_within(HELD)?;
    }
    let waited = producer.is_running()?;
    lane.release();
    let ended = producer.end_within(limit)?.is_some();
    let lines = producer.texts();
    let failed = lines.iter().filter(|line| line.contains("FAILED")).count();
    Ok(Refused {
        failed,
        delivered: delivered(&lines).len(),
        waited,
        ended,
    })
}

/// The positions of the deliveries that were reported.
fn delivered(lines: &[String]) -> Vec<(i32, i64)> {
    let reports = lines
        .iter()
        .filter(|line| line.trim_start().starts_with("Delivered"));
    reports.filter_map(|line| position(line)).collect()
}

/// What a check of the events says it saw, where there are any.
fn of_events(records: &[Record], saw: impl FnOnce() -> String) -> String {
    if records.is_empty() {
        "no event arrived".to_string()
    } else {
        saw()
    }
}

fn publishes_100(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(published)?;
    Ok(verdict(
        run.records.len() == 100,
        "100 events in clickstream",
        format!("{} events. {}", run.records.len(), run.last_lines),
        "Which topic does the loop send to, how often, and does the program end before everything has left it?",
    ))
}

/// The events that are JSON objects.
fn events(records: &[Record]) -> Vec<Value> {
    let parsed = records
        .iter()
        .filter_map(|record| serde_json::from_str(&record.value()).ok());
    parsed.filter(Value::is_object).collect()
}

fn event_ids(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(published)?;
    let ids: BTreeSet<i64> = events(&run.records)
        .iter()
        .filter_map(|event| event["event_id"].as_i64())
        .collect();
    let unexpected: Vec<&i64> = ids.iter().filter(|id| !(0..100).contains(*id)).collect();
    let share = ids.len() - unexpected.len();
    Ok(verdict(
        // How many there are is another check's affair: these are numbered right.
        !run.records.is_empty() && ids.len() == run.records.len().min(100) && unexpected.is_empty(),
        "event_id from 0 to 99, each once",
        of_events(&run.records, || {
            let mut saw = format!("{share} different ids in that range");
            if !unexpected.is_empty() {
                saw += &format!(", and besides {unexpected:?}");
            }
            saw
        }),
        "The id is the counter of the loop.",
    ))
}

fn event_fields(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(published)?;
    let wrong: Vec<&Record> = run
        .records
        .iter()
        .filter(|record| fault(record).is_some())
        .collect();
    let saw = match wrong.first() {
        None => format!("{} events as they should be", run.records.len()),
        Some(first) => format!(
            "{} of {} are not; the first: {} in {}",
            wrong.len(),
            run.records.len(),
            fault(first).unwrap_or_default(),
            first.value()
        ),
    };
    Ok(verdict(
        !run.records.is_empty() && wrong.is_empty(),
        "JSON with event_id, user_id (user_1 to user_20), event_type (one of four), timestamp (seconds since 1970), \
         amount (10 to 500 with two decimals, or null)",
        of_events(&run.records, || saw),
        "Compare the event you see with the one in docs/contract.md, field by field.",
    ))
}

/// What is wrong with an event; whether it carries an amount at all is another check's affair.
fn fault(record: &Record) -> Option<&'static str> {
    let Ok(event) = serde_json::from_str::<Value>(&record.value()) else {
        return Some("no JSON");
    };
    let user = event["user_id"]
        .as_str()
        .and_then(|user| user.strip_prefix("user_")?.parse().ok());
    let amount = &event["amount"];
    if !event["event_id"].is_i64() {
        return Some("event_id");
    }
    if !user.is_some_and(|number: u32| (1..=20).contains(&number)) {
        return Some("user_id");
    }
    let event_type = serde_json::from_value::<common::EventType>(event["event_type"].clone());
    if event_type.is_err() {
        return Some("event_type");
    }
    if !event["timestamp"]
        .as_f64()
        .is_some_and(|seconds| (EARLIEST..10.0 * EARLIEST).contains(&seconds))
    {
        return Some("timestamp");
    }
    let in_range = |amount: f64| {
        let cents = amount * 100.0;
        (10.0..=500.0).contains(&amount) && (cents - cents.round()).abs() < 1e-6
    };
    if !(amount.is_null() || amount.as_f64().is_some_and(in_range)) {
        return Some("amount");
    }
    None
}

fn amount_share(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(published)?;
    let with = events(&run.records)
        .iter()
        .filter(|event| !event["amount"].is_null())
        .count();
    let percent = 100 * with / run.records.len().max(1);
    Ok(verdict(
        // Six standard deviations to either side: chance fails one run in a billion.
        !run.records.is_empty() && (3..=58).contains(&percent),
        "an amount in about 30 of 100 events, null in the others",
        of_events(&run.records, || {
            format!("an amount in {with} of {}", run.records.len())
        }),
        "The amount is there with probability 0.3.",
    ))
}

fn key_is_user(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(published)?;
    let is_keyed = |record: &&Record| {
        let event: Value = serde_json::from_str(&record.value()).unwrap_or_default();
        record.key().is_some() && record.key().as_deref() == event["user_id"].as_str()
    };
    let keyed = run.records.iter().filter(is_keyed).count();
    let other = run.records.iter().find(|record| !is_keyed(record));
    let saw = match other.map(|record| (record.key(), record.value())) {
        None => format!("so for {keyed} of {keyed} events"),
        Some((None, value)) => format!(
            "so for {keyed} of {}; no key for {value}",
            run.records.len()
        ),
        Some((Some(key), value)) => format!(
            "so for {keyed} of {}; the key {key} for {value}",
            run.records.len()
        ),
    };
    Ok(verdict(
        !run.records.is_empty() && other.is_none(),
        "the key of each record is the event's user_id",
        of_events(&run.records, || saw),
        "What decides on which partition a record lands?",
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
    let run = lane.evidence(published)?;
    let users = partitions_by_user(&run.records);
    let scattered: Vec<String> = users
        .iter()
        .filter(|(_, partitions)| partitions.len() > 1)
        .map(|(user, partitions)| format!("{user} on {partitions:?}"))
        .collect();
    let without_key = run.records.iter().filter(|r| r.key().is_none()).count();
    Ok(verdict(
        // Without keys, all may still be on one partition: librdkafka chooses one for what comes within 10 ms
        // (`sticky.partitioning.linger.ms`).
        !users.is_empty() && scattered.is_empty() && without_key == 0,
        "each user's events on one partition, by their keys",
        of_events(&run.records, || match scattered.first() {
            _ if without_key > 0 => format!(
                "{without_key} of {} events have no key, so that no partition is theirs",
                run.records.len()
            ),
            None => format!("{} users, each on one partition", users.len()),
            Some(first) => format!(
                "{} of {} users on several: {first}",
                scattered.len(),
                users.len()
            ),
        }),
        "Where would a consumer have to look for all events of one user?",
    ))
}

fn spreads_users(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(published)?;
    let used: BTreeSet<i32> = run.records.iter().map(|record| record.partition).collect();
    let no_keys = run.records.iter().all(|r| r.key().is_none());
    Ok(verdict(
        // Twenty users whose keys are hashed: all on one partition by chance is out of the question. Without keys it is
        // not, for then the client chooses one for each batch.
        used.len() > 1 && !no_keys,
        "events on several partitions, by their keys",
        of_events(&run.records, || {
            if no_keys {
                "no event has a key, so that nothing spreads the users".to_string()
            } else {
                format!("events on partitions {used:?}")
            }
        }),
        "Who chooses the partition: the hash of the key, or your program?",
    ))
}

fn reports_deliveries(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(published)?;
    let reported = delivered(&run.lines);
    let different: BTreeSet<_> = reported.iter().copied().collect();
    let held: BTreeSet<_> = run
        .records
        .iter()
        .map(|record| (record.partition, record.offset))
        .collect();
    let right = different.intersection(&held).count();
    Ok(verdict(
        // How many there should be is another check's affair.
        !held.is_empty() && right == held.len() && reported.len() == held.len(),
        "a line `Delivered → topic=clickstream partition=P offset=O` for each event, with the place where it really is",
        of_events(&run.records, || {
            format!(
                "{} such lines, {right} of them for one of the {} events",
                reported.len(),
                held.len()
            )
        }),
        "The client calls you back with each record: does the callback print, and is it given the time to be called?",
    ))
}

fn reports_after_acknowledgement(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(published)?;
    let all = delivered(&run.lines).len();
    Ok(verdict(
        run.early == 0 && all > 0,
        "deliveries reported, but none while the broker had acknowledged none",
        format!("{all} deliveries reported, {} of them by then", run.early),
        "Sent is not delivered. Who knows when a record has arrived?",
    ))
}

fn waits_for_acknowledgements(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(published)?;
    let saw = if run.waited {
        format!("it waited, and {} events arrived", run.records.len())
    } else {
        format!(
            "it had ended before; {} events arrived. {}",
            run.records.len(),
            run.last_lines
        )
    };
    Ok(verdict(
        run.waited,
        "with its records on their way for 2 s, the program waits for their acknowledgement",
        saw,
        "What happens to records that have not left the client when the program ends?",
    ))
}

fn reports_failures(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(refused)?;
    Ok(verdict(
        run.waited && run.failed > 0 && run.delivered == 0 && run.ended,
        "`Delivery FAILED: reason` when the broker refuses the records (it was made to take no more than 60 bytes)",
        format!(
            "{} failures and {} deliveries reported{}",
            run.failed,
            run.delivered,
            if run.waited {
                ""
            } else {
                "; it had ended before the broker refused anything"
            }
        ),
        "The callback is called for failures too. What does yours do then?",
    ))
}

fn acks_all(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(published)?;
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
        "acks=all in every request that carries records",
        if acks.is_empty() {
            "no such request".to_string()
        } else {
            format!("acks={}", acks.join(" and "))
        },
        "Which setting says how many replicas must have a record before it counts as delivered?",
    ))
}

fn ends(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(published)?;
    let done = run.lines.iter().any(|line| line.contains("Done"));
    Ok(verdict(
        !run.records.is_empty() && done && run.status.is_some_and(|status| status.success()),
        "events published, then `Done. Published 100 events.`, and exit status 0",
        match run.status {
            _ if run.records.is_empty() => "no event arrived".to_string(),
            Some(status) => format!("{status}. {}", run.last_lines),
            None => format!(
                "still running after {} s. {}",
                LIMIT.as_secs(),
                run.last_lines
            ),
        },
        "Does anything keep the program from coming to its last line?",
    ))
}
