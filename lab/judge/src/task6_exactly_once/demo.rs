//! The demo of task 6: a crash while purchases are copied, first the wrong way and then the right way. Then two instances
//! run at a time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use broker::wait;
use common::{CLICKSTREAM, PURCHASE_EXTRACTOR, PURCHASES, TOPICS};

use crate::task6_exactly_once::purchases::{Purchases, places};
use crate::{Program, Stage};
use cluster::{Isolation, is_past, offsets, sum, table};

const PROGRAM: &str = "exactly_once";

/// How many events are published: twenty batches.
const EVENTS: u64 = 400;

/// How many events a program must have committed before it is stopped: two batches.
const FIRST_EVENTS: i64 = 40;

/// How long the search for the right moment to crash may take.
const CRASH_LIMIT: Duration = Duration::from_secs(60);

/// How long a program runs before it is stopped again, if it was stopped at a wrong moment.
const STEP: Duration = Duration::from_millis(3);

/// How long records that a stopped program has sent may take to arrive.
const ARRIVAL: Duration = Duration::from_millis(100);

/// How long the group waits for a dead member: its session timeout (`session.timeout.ms` of the program).
const SESSION_TIMEOUT: Duration = Duration::from_secs(6);

/// How long a restarted program may take. It first waits for the session timeout, and a busy machine is slow.
const RESTART_LIMIT: Duration = Duration::from_secs(40);

/// The time after which the broker itself aborts an open transaction (`transaction.timeout.ms`, librdkafka's default).
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the first instance may take to notice that the second one has fenced it.
const FENCE_LIMIT: Duration = Duration::from_secs(15);

/// Kills the starter and the solution at the same point in a batch, on the same events, and starts each again. Then
/// starts a second instance of the solution beside the first.
///
/// # Errors
/// When a program takes too long, was not built or cannot be started, or when the cluster does not answer.
pub fn run(stage: &mut Stage) -> Result<()> {
    stage.publish(EVENTS)?;
    let events: i64 = stage.kafka.ends(CLICKSTREAM)?.iter().sum();
    let wanted = places(&stage.kafka)?.into_keys().collect();
    stage.say(format!(
        "{events} events are in the topic {CLICKSTREAM}. The program must copy each purchase with an amount to the topic \
         {PURCHASES}."
    ));

    stage.say(
        "\nThe wrong way is the starter's: it sends and flushes, and then the consumer commits.",
    );
    let wrong = Way::go(stage, &wanted, Stage::start_starter)?;
    stage.say(
        "Now the same events again. The output topic is empty, and the group has read nothing.",
    );
    empty(stage)?;
    stage.say("\nThe right way is the solution's: records and offsets are in one transaction.");
    let right = Way::go(stage, &wanted, Stage::start)?;
    stage.say(format!(
        "\nSide by side, with {} purchases to copy:\n{}",
        wanted.len(),
        side_by_side(&wrong, &right, events)
    ));

    let [.., after] = &wrong.snapshots;
    stage.find(
        6,
        "without transactions, after a kill between the records and the commit, a batch is copied twice",
        after.extra > 0,
        format!("{} extra records", after.extra),
    );
    let [.., after] = &right.snapshots;
    stage.find(
        6,
        "with transactions, readers with read_committed see each purchase once",
        after.extra == 0 && after.missing == 0,
        format!(
            "{} of {} purchases, and {} extra records",
            wanted.len() - after.missing,
            wanted.len(),
            after.extra
        ),
    );
    stage.find(
        6,
        "aborted records stay in the topic, and readers without read_committed see them",
        after.written > after.visible,
        format!(
            "{} records with read_uncommitted, {} with read_committed",
            after.written, after.visible
        ),
    );
    stage.find(
        6,
        "after a restart with the same transactional id, readers do not wait until a transaction times out",
        right.restart < TRANSACTION_TIMEOUT,
        format!(
            "everything was copied {:.1} s after the restart; the session timeout is {} s, and the transaction timeout {} s",
            right.restart.as_secs_f64(),
            SESSION_TIMEOUT.as_secs(),
            TRANSACTION_TIMEOUT.as_secs()
        ),
    );
    two_at_a_time(stage)
}

/// What the output topic and the group contain at one moment.
struct Snapshot {
    /// All records in `purchases`.
    written: usize,
    /// The records that readers with `read_committed` see.
    visible: usize,
    /// How many purchases these readers do not see.
    missing: usize,
    /// How many records these readers see beyond one for each purchase.
    extra: usize,
    committed: Vec<Option<i64>>,
}

impl Snapshot {
    fn of(stage: &Stage, wanted: &BTreeSet<u64>) -> Result<Self> {
        let purchases = Purchases::read(&stage.kafka, Isolation::ReadCommitted)?;
        Ok(Self {
            written: Purchases::read(&stage.kafka, Isolation::ReadUncommitted)?.count(),
            visible: purchases.count(),
            missing: wanted.len() - purchases.among(wanted),
            extra: purchases.extra_since(&Purchases::default()),
            committed: stage.kafka.committed(PURCHASE_EXTRACTOR, CLICKSTREAM)?,
        })
    }

    fn row(&self, moment: &str, way: &str, events: i64) -> [String; 6] {
        [
            moment.to_string(),
            way.to_string(),
            events.to_string(),
            self.visible.to_string(),
            self.written.to_string(),
            offsets(&self.committed),
        ]
    }
}

/// What one of the two programs went through.
struct Way {
    /// Before the kill, after it, and after the restart.
    snapshots: [Snapshot; 3],
    /// The time from the restart until the group was past all events.
    restart: Duration,
}

impl Way {
    /// Starts a program, kills it in a batch, and starts it again.
    fn go(
        stage: &mut Stage,
        wanted: &BTreeSet<u64>,
        start: fn(&Stage, &str) -> Result<Program>,
    ) -> Result<Self> {
        let mut program = start(stage, PROGRAM)?;
        stop_in_a_batch(stage, &mut program)?;
        let before = Snapshot::of(stage, wanted)?;
        stage.say(format!(
            "  Stopped in a batch: the topic {PURCHASES} contains {} records, and the committed offsets are not yet past all of \
             their events. kill -9.",
            before.written
        ));
        program.kill()?;
        let after = Snapshot::of(stage, wanted)?;
        stage.say("  Started again. The group waits for the dead member's session to time out …");
        let mut again = start(stage, PROGRAM)?;
        let begun = Instant::now();
        read_all(stage).with_context(|| again.last_lines())?;
        let restart = begun.elapsed();
        again.interrupt()?;
        again.wait_for_end(RESTART_LIMIT)?;
        let lines = again.texts();
        stage.show(PROGRAM, &lines, 2, 1);
        Ok(Self {
            snapshots: [before, after, Snapshot::of(stage, wanted)?],
            restart,
        })
    }
}

/// Waits until the group is past all events.
fn read_all(stage: &Stage) -> Result<()> {
    let ends = stage.kafka.ends(CLICKSTREAM)?;
    wait::until(
        "the group to read and commit all events",
        RESTART_LIMIT,
        || {
            let committed = stage.kafka.committed(PURCHASE_EXTRACTOR, CLICKSTREAM)?;
            Ok(is_past(&committed, &ends).then_some(()))
        },
    )
}

/// Stops the program again and again, until it has copied purchases of a batch but has not moved the offsets past them.
fn stop_in_a_batch(stage: &Stage, program: &mut Program) -> Result<()> {
    wait::until("the first batches to be committed", RESTART_LIMIT, || {
        let committed = stage.kafka.committed(PURCHASE_EXTRACTOR, CLICKSTREAM)?;
        Ok((sum(&committed) >= FIRST_EVENTS).then_some(()))
    })?;
    wait::until(
        "a moment at which a batch is copied, but not committed",
        CRASH_LIMIT,
        || {
            program.pause()?;
            wait::pass(ARRIVAL)?;
            let written = Purchases::read(&stage.kafka, Isolation::ReadUncommitted)?;
            let committed = stage.kafka.committed(PURCHASE_EXTRACTOR, CLICKSTREAM)?;
            let ahead = places(&stage.kafka)?
                .iter()
                .any(|(id, (partition, offset))| {
                    let next = committed.get(*partition).copied().flatten().unwrap_or(0);
                    written.times(*id) > 0 && *offset >= next
                });
            if ahead {
                return Ok(Some(()));
            }
            program.resume()?;
            std::thread::sleep(STEP);
            Ok(None)
        },
    )
}

/// Replaces the output topic with an empty one, and deletes the group with its offsets.
fn empty(stage: &Stage) -> Result<()> {
    stage.kafka.delete_topics(&[PURCHASES])?;
    stage.kafka.create_topics(TOPICS)?;
    stage.kafka.delete_group(PURCHASE_EXTRACTOR, RESTART_LIMIT)
}

/// A table of both ways at each moment.
fn side_by_side(wrong: &Way, right: &Way, events: i64) -> String {
    let names = ["before the kill", "after the kill", "after the restart"];
    let ways = names
        .iter()
        .zip(wrong.snapshots.iter().zip(&right.snapshots));
    let rows = ways.flat_map(|(name, (wrong, right))| {
        let wrong = wrong.row(name, "wrong", events);
        [wrong, right.row("", "right", events)]
    });
    let header = [
        "",
        "",
        CLICKSTREAM,
        "purchases, read_committed",
        "read_uncommitted",
        "committed offsets",
    ];
    table(&header, &[2, 3, 4], rows)
}

/// Starts a second instance. The first one is then a zombie: it does not know that another instance has taken its
/// place.
fn two_at_a_time(stage: &mut Stage) -> Result<()> {
    stage.say("\nTwo instances: the second one claims the transactional id of the first.");
    stage.publish(100)?;
    let mut first = stage.start(PROGRAM)?;
    // From here on, the first instance has nothing to do, so it does not notice that it is fenced.
    read_all(stage).with_context(|| first.last_lines())?;
    let mut second = stage.start(PROGRAM)?;
    wait::until("the second instance to join", RESTART_LIMIT, || {
        let members = stage.kafka.members(PURCHASE_EXTRACTOR, CLICKSTREAM)?;
        Ok((members.len() == 2).then_some(()))
    })?;
    stage.publish(100)?;
    let status = first.wait_for_end(FENCE_LIMIT)?;
    let errors = first.errors();
    let lines: Vec<String> = errors.iter().map(|line| line.text.clone()).collect();
    stage.show("first", &lines, 0, 1);
    read_all(stage).with_context(|| second.last_lines())?;
    second.interrupt()?;
    second.wait_for_end(RESTART_LIMIT)?;
    stage.find(
        6,
        "a second instance fences the first, which ends with an error",
        !status.success(),
        format!("the first one ended with {status}; the second one went on copying"),
    );
    Ok(())
}
