//! Task 4: the checks of the crash simulator.
//!
//! They detect a program that
//! - processes more or fewer than fifteen messages before it dies, or prints events that it has not read;
//! - does not die as if the power had failed: it leaves its group, ends with exit status 0, or runs on;
//! - commits before it dies, so that the next run does not read the same messages again.

use std::collections::BTreeMap;
use std::process::ExitStatus;

use anyhow::Result;
use common::{CLICKSTREAM, CRASH_DEMO_GROUP, Event};

use crate::bench::lane::{Lane, Scenario};
use crate::contract::WORK_LIMIT;
use crate::data::events::first_id;
use crate::history::printed::{field, position};
use crate::random_events;
use crate::task4_crash::offsets_read::OffsetsRead;
use crate::verdict::check::{Check, Verdict, verdict};
use cluster::{Record, offsets};

pub const CHECKS: &[Check] = &[
    Check {
        id: "crash.after_fifteen",
        clauses: &["K1", "K2", "E10"],
        task: 4,
        points: 3,
        title: "processes fifteen messages, then dies",
        parts: &[after_fifteen],
    },
    Check {
        id: "crash.dies_hard",
        clauses: &["K2"],
        task: 4,
        points: 3,
        title: "dies as if the power had failed, without leaving the group",
        parts: &[dies_hard],
    },
    Check {
        id: "crash.commits_nothing",
        clauses: &["K3"],
        task: 4,
        points: 3,
        title: "commits nothing",
        parts: &[commits_nothing],
    },
    Check {
        id: "crash.starts_again",
        clauses: &["K3"],
        task: 4,
        points: 3,
        title: "starts again at the same offsets, so nothing is lost",
        parts: &[starts_again],
    },
];

/// Two runs, one after the other, on the same 90 events.
struct TwoRuns {
    first: CrashRun,
    second: CrashRun,
    /// The committed offsets after the first run, by partition.
    committed: Vec<Option<i64>>,
    /// How many requests to leave the group the broker got in the first run.
    left: usize,
}

struct CrashRun {
    read: OffsetsRead,
    /// How many lines name a different event than the one that has this partition and offset in the topic.
    wrong: usize,
    status: Option<ExitStatus>,
    last_lines: String,
}

const CRASHED: Scenario<TwoRuns> = Scenario {
    name: "crashed",
    run: crashed,
};

fn crashed(lane: &Lane) -> Result<TwoRuns> {
    // A program cannot guess these ids. So a line with the right id shows that the program has read the event.
    let first_id = first_id();
    lane.publish(&random_events(first_id, 90))?;
    let first = crash(lane)?;
    let left = lane.last_requests("LEAVE_GROUP", CRASH_DEMO_GROUP)?.len();
    let committed = lane.kafka().committed(CRASH_DEMO_GROUP, CLICKSTREAM)?;
    lane.remove_members(CRASH_DEMO_GROUP)?;
    let second = crash(lane)?;
    Ok(TwoRuns {
        first,
        second,
        committed,
        left,
    })
}

fn crash(lane: &Lane) -> Result<CrashRun> {
    let mut program = lane.start("consumer_crash")?;
    let status = program.end_within(WORK_LIMIT)?;
    let ids = event_ids(lane)?;
    let mut read = OffsetsRead::default();
    let mut wrong = 0;
    for line in program.texts() {
        let Some((partition, offset)) = position(&line) else {
            continue;
        };
        if field(&line, "event_id") == ids.get(&(partition, offset)).copied() {
            read.add(partition, offset);
        } else {
            wrong += 1;
        }
    }
    Ok(CrashRun {
        read,
        wrong,
        status,
        last_lines: program.last_lines(),
    })
}

/// Returns the id of the event at each partition and offset of the topic.
fn event_ids(lane: &Lane) -> Result<BTreeMap<(i32, i64), i64>> {
    let records = lane.kafka().records(CLICKSTREAM)?.into_iter();
    // A program may have published something else.
    let event = |record: Record| {
        let event: Event = serde_json::from_str(&record.value()).ok()?;
        let id = event.event_id.try_into().ok()?;
        Some(((record.partition, record.offset), id))
    };
    Ok(records.filter_map(event).collect())
}

/// Returns how a run ended, in words.
fn ended(crash: &CrashRun) -> String {
    match crash.status {
        Some(status) => status.to_string(),
        None => format!(
            "still running after {} s. {}",
            WORK_LIMIT.as_secs(),
            crash.last_lines
        ),
    }
}

fn after_fifteen(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(CRASHED)?;
    Ok(verdict(
        run.first.read.count() == 15 && run.first.wrong == 0 && run.first.status.is_some(),
        "15 lines with `partition=P offset=O event_id=E` that match the topic, and then the end of the program",
        format!(
            "{} lines that match, {} with a wrong event_id; {}",
            run.first.read.count(),
            run.first.wrong,
            ended(&run.first)
        ),
        "What does your program count, and when?",
    ))
}

fn dies_hard(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(CRASHED)?;
    let failed = run.first.status.is_some_and(|status| !status.success());
    Ok(verdict(
        run.first.read.count() > 0 && failed && run.left == 0,
        "after some messages, an end by a signal or with an exit status other than 0, and no request to leave the group",
        format!(
            "{} messages read; {}; {}",
            run.first.read.count(),
            ended(&run.first),
            if run.left == 0 {
                "no request to leave the group"
            } else {
                "a request to leave the group"
            }
        ),
        "When the power fails, nothing is closed: no destructor, no `finally` and no unwinding runs.",
    ))
}

fn commits_nothing(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(CRASHED)?;
    Ok(verdict(
        run.first.read.count() > 0 && run.committed.iter().all(Option::is_none),
        "no committed offset in any partition",
        format!(
            "{} messages read, committed offsets: {}",
            run.first.read.count(),
            offsets(&run.committed)
        ),
        "The crash must come before any commit. What commits in your program: your own code, or something else?",
    ))
}

fn starts_again(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(CRASHED)?;
    // If a partition was read to its end and committed, the second run does not read it, so only the commit shows the mistake.
    let is_committed = |partition: i32| {
        let committed = usize::try_from(partition).map(|at| run.committed.get(at));
        committed.is_ok_and(|committed| committed.copied().flatten() > Some(0))
    };
    Ok(verdict(
        run.first.read.count() > 0
            && run.second.read.count() > 0
            && run.first.read.begins_at(|_| 0)
            && run.second.read.begins_at(|_| 0)
            && !run.first.read.partitions().any(is_committed),
        "both runs begin at offset 0 of each partition that they read, and nothing in these partitions is committed",
        format!(
            "run 1 read {}; run 2 read {}; committed offsets after run 1: {}",
            run.first.read,
            run.second.read,
            offsets(&run.committed)
        ),
        "If a group has committed nothing, where does it begin to read?",
    ))
}
