//! Task 4: the checks of the crash simulator.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Result;
use common::{CLICKSTREAM, CRASH_DEMO_GROUP, Event};

use crate::bench::lane::Lane;
use crate::data::events::first_id;
use crate::history::printed::{field, position};
use crate::random_events;
use crate::verdict::check::{Check, Verdict, verdict};
use cluster::{Record, offsets};

const LIMIT: Duration = Duration::from_secs(20);

pub const CHECKS: &[Check] = &[
    Check {
        id: "crash.after_fifteen",
        task: 4,
        points: 3,
        title: "processes fifteen messages, then dies",
        judge: after_fifteen,
    },
    Check {
        id: "crash.dies_hard",
        task: 4,
        points: 3,
        title: "dies as if the power had gone: says no goodbye, and fails",
        judge: dies_hard,
    },
    Check {
        id: "crash.commits_nothing",
        task: 4,
        points: 3,
        title: "has committed nothing",
        judge: commits_nothing,
    },
    Check {
        id: "crash.starts_again",
        task: 4,
        points: 3,
        title: "starts again at the same positions, so that nothing is lost",
        judge: starts_again,
    },
];

/// Two runs on the same 90 events.
struct Crashed {
    first: Crash,
    second: Crash,
    committed: Vec<Option<i64>>,
    left: usize,
}

struct Crash {
    /// The offsets read in each partition, in their order.
    read: BTreeMap<i32, Vec<i64>>,
    /// Lines with a position that name another event than the one that lies there.
    wrong: usize,
    status: Option<ExitStatus>,
    last_lines: String,
}

impl Crash {
    fn count(&self) -> usize {
        self.read.values().map(Vec::len).sum()
    }
}

fn crashed(lane: &Lane) -> Result<Crashed> {
    // A line shows that its event was read.
    let first_id = first_id();
    lane.publish(&random_events(first_id, 90))?;
    let first = crash(lane)?;
    let committed = lane.kafka().committed(CRASH_DEMO_GROUP, CLICKSTREAM)?;
    let left = lane.group_requests("LEAVE_GROUP", CRASH_DEMO_GROUP)?.len();
    lane.remove_members(CRASH_DEMO_GROUP)?;
    let second = crash(lane)?;
    Ok(Crashed {
        first,
        second,
        committed,
        left,
    })
}

fn crash(lane: &Lane) -> Result<Crash> {
    let mut program = lane.start("consumer_crash")?;
    let status = program.end_within(LIMIT)?;
    let ids = event_ids(lane)?;
    let mut read: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    let mut wrong = 0;
    for line in program.texts() {
        let Some((partition, offset)) = position(&line) else {
            continue;
        };
        if field(&line, "event_id") == ids.get(&(partition, offset)).copied() {
            read.entry(partition).or_default().push(offset);
        } else {
            wrong += 1;
        }
    }
    Ok(Crash {
        read,
        wrong,
        status,
        last_lines: program.last_lines(),
    })
}

/// The event that really lies at each position.
fn event_ids(lane: &Lane) -> Result<BTreeMap<(i32, i64), i64>> {
    let records = lane.kafka().records(CLICKSTREAM)?.into_iter();
    // What a program has added is no event of ours.
    let event = |record: Record| {
        let event: Event = serde_json::from_str(&record.value()).ok()?;
        let id = event.event_id.try_into().ok()?;
        Some(((record.partition, record.offset), id))
    };
    Ok(records.filter_map(event).collect())
}

fn ended(crash: &Crash) -> String {
    match crash.status {
        Some(status) => status.to_string(),
        None => format!(
            "still running after {} s. {}",
            LIMIT.as_secs(),
            crash.last_lines
        ),
    }
}

fn after_fifteen(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(crashed)?;
    Ok(verdict(
        run.first.count() == 15 && run.first.wrong == 0 && run.first.status.is_some(),
        "15 lines with `partition=P offset=O event_id=E`, as it lies in the topic, then the end",
        format!(
            "{} such lines, {} with another event_id than the event there has; {}",
            run.first.count(),
            run.first.wrong,
            ended(&run.first)
        ),
        "What is counted, and when?",
    ))
}

fn dies_hard(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(crashed)?;
    let failed = run.first.status.is_some_and(|status| !status.success());
    Ok(verdict(
        run.first.count() > 0 && failed && run.left == 0,
        "after its messages, a signal or an exit status other than 0, and no word to the group",
        format!(
            "{} messages; {}; {}",
            run.first.count(),
            ended(&run.first),
            if run.left == 0 {
                "the group heard nothing"
            } else {
                "it told the group that it leaves"
            }
        ),
        "Without power nobody closes anything: no destructor, no `finally`, no unwinding.",
    ))
}

fn commits_nothing(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(crashed)?;
    Ok(verdict(
        run.first.count() > 0 && run.committed.iter().all(Option::is_none),
        "no committed offset in any partition",
        format!(
            "{} messages read, committed offsets: {}",
            run.first.count(),
            offsets(&run.committed)
        ),
        "The crash comes before the commit, whoever would do it.",
    ))
}

fn starts_again(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(crashed)?;
    let from_start = |crash: &Crash| {
        crash
            .read
            .values()
            .all(|read| read.iter().copied().eq((0..).take(read.len())))
    };
    // A partition that was read to its end and committed is not read again: what the second run reads would not show it.
    let is_committed = |&partition: &i32| {
        let committed = usize::try_from(partition).map(|at| run.committed.get(at));
        committed.is_ok_and(|committed| committed.copied().flatten() > Some(0))
    };
    Ok(verdict(
        run.first.count() > 0
            && run.second.count() > 0
            && from_start(&run.first)
            && from_start(&run.second)
            && !run.first.read.keys().any(is_committed),
        "both runs begin at the first offset of each partition that they read, and nothing of them is committed",
        format!(
            "run 1 read {:?}, run 2 {:?}; committed offsets after run 1: {}",
            ranges(&run.first),
            ranges(&run.second),
            offsets(&run.committed)
        ),
        "Where does a group go on that has committed nothing?",
    ))
}

/// Each partition with its first and its last offset.
fn ranges(crash: &Crash) -> Vec<(i32, i64, i64)> {
    let ends = crash
        .read
        .iter()
        .filter_map(|(p, read)| Some((*p, *read.first()?, *read.last()?)));
    ends.collect()
}
