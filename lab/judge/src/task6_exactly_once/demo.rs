//! Task 6: a copy of the purchases through a crash, the wrong way and the right way; and two instances at a time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use broker::wait;
use common::{CLICKSTREAM, PURCHASE_EXTRACTOR, PURCHASES, TOPICS};

use crate::task6_exactly_once::copies::{Copies, places};
use crate::{Program, Stage};
use cluster::is_past;
use cluster::table;
use cluster::{Isolation, offsets};

const PROGRAM: &str = "exactly_once";

/// Twenty batches. The programs are stopped once they have committed some of them.
const EVENTS: u64 = 400;
const FIRST_BATCHES: i64 = 40;

/// How long the right moment for a crash may be looked for.
const CRASH_LIMIT: Duration = Duration::from_secs(60);

/// How long a program runs on where it was stopped at the wrong moment.
const STEP: Duration = Duration::from_millis(3);

/// How long what a stopped program has sent may take to arrive.
const ARRIVAL: Duration = Duration::from_millis(100);

/// A dead member holds its partitions for its session timeout, 6 s here; more on a busy machine.
const RESTART_LIMIT: Duration = Duration::from_secs(40);

/// After so long the broker itself aborts an open transaction (librdkafka's default of `transaction.timeout.ms`).
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the first instance may take to notice the second.
const FENCE_LIMIT: Duration = Duration::from_secs(15);

/// Kills the starter and the solution at the same place of a batch, on the same events, and starts each again. Then a second
/// instance of the solution joins the first.
///
/// # Errors
/// When one does not copy in time, or the cluster does not answer.
pub fn run(stage: &mut Stage) -> Result<()> {
    stage.publish(EVENTS)?;
    let events: i64 = stage.kafka.ends(CLICKSTREAM)?.iter().sum();
    let wanted = places(&stage.kafka)?.into_keys().collect();
    stage.say(format!(
        "{events} events are in {CLICKSTREAM}; each purchase that has an amount is to be copied to {PURCHASES}."
    ));

    stage.say("\nThe wrong way, the starter: send, flush, then the consumer commits.");
    let wrong = Way::go(stage, &wanted, Stage::start_starter)?;
    stage.say(
        "The same events again, with an empty output topic and a group that has read nothing.",
    );
    empty(stage)?;
    stage.say("\nThe right way, the solution: records and offsets in one transaction.");
    let right = Way::go(stage, &wanted, Stage::start)?;
    stage.say(format!(
        "\nSide by side, with {} purchases to copy:\n{}",
        wanted.len(),
        side_by_side(&wrong, &right, events)
    ));

    let [.., after] = &wrong.moments;
    stage.find(
        6,
        "without transactions, a kill between the records and the commit copies a batch twice",
        after.too_many > 0,
        format!("{} copies too many", after.too_many),
    );
    let [.., after] = &right.moments;
    stage.find(
        6,
        "with transactions, readers with read_committed see each purchase once",
        after.too_many == 0 && after.missing == 0,
        format!(
            "{} of {}, {} copies too many",
            wanted.len() - after.missing,
            wanted.len(),
            after.too_many
        ),
    );
    stage.find(
        6,
        "what was aborted stays in the topic, and a reader without read_committed sees it",
        after.written > after.visible,
        format!(
            "{} records with read_uncommitted, {} with read_committed",
            after.written, after.visible
        ),
    );
    stage.find(
        6,
        "a restart with the same transactional id waits for no transaction to time out",
        right.restart < TRANSACTION_TIMEOUT,
        format!(
            "all was there {:.1} s after the restart; the session timeout is 6 s, that of transactions {} s",
            right.restart.as_secs_f64(),
            TRANSACTION_TIMEOUT.as_secs()
        ),
    );
    two_at_a_time(stage)
}

/// What is where at one moment.
struct Moment {
    /// Records in `purchases`: all that lie there, and those that readers with `read_committed` see.
    written: usize,
    visible: usize,
    missing: usize,
    too_many: usize,
    committed: Vec<Option<i64>>,
}

impl Moment {
    fn of(stage: &Stage, wanted: &BTreeSet<u64>) -> Result<Self> {
        let copies = Copies::read(&stage.kafka, Isolation::ReadCommitted)?;
        Ok(Self {
            written: Copies::read(&stage.kafka, Isolation::ReadUncommitted)?.count(),
            visible: copies.count(),
            missing: wanted.len() - copies.among(wanted),
            too_many: copies.too_many_since(&Copies::default()),
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

/// One way through the crash.
struct Way {
    /// Before the kill, after it, and after the restart.
    moments: [Moment; 3],
    /// From the restart until all was copied.
    restart: Duration,
}

impl Way {
    fn go(
        stage: &mut Stage,
        wanted: &BTreeSet<u64>,
        start: fn(&Stage, &str) -> Result<Program>,
    ) -> Result<Self> {
        let mut program = start(stage, PROGRAM)?;
        stop_in_a_batch(stage, &mut program)?;
        let before = Moment::of(stage, wanted)?;
        stage.say(format!(
            "  Stopped in a batch: {} copies lie in {PURCHASES}, and the group is not past the last of them. kill -9.",
            before.written
        ));
        program.kill()?;
        let after = Moment::of(stage, wanted)?;
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
            moments: [before, after, Moment::of(stage, wanted)?],
            restart,
        })
    }
}

/// Waits until the group is past all events.
fn read_all(stage: &Stage) -> Result<()> {
    let ends = stage.kafka.ends(CLICKSTREAM)?;
    wait::until("all events to be read", RESTART_LIMIT, || {
        let committed = stage.kafka.committed(PURCHASE_EXTRACTOR, CLICKSTREAM)?;
        Ok(is_past(&committed, &ends).then_some(()))
    })
}

/// Stops the program again and again, until it is just where copies of a batch lie in the output, and the offsets have not
/// moved past it.
fn stop_in_a_batch(stage: &Stage, program: &mut Program) -> Result<()> {
    wait::until("the first batches to be committed", RESTART_LIMIT, || {
        let committed = stage.kafka.committed(PURCHASE_EXTRACTOR, CLICKSTREAM)?;
        Ok((committed.iter().flatten().sum::<i64>() >= FIRST_BATCHES).then_some(()))
    })?;
    wait::until(
        "a batch to be copied, but not committed",
        CRASH_LIMIT,
        || {
            program.pause()?;
            wait::pass(ARRIVAL)?;
            let written = Copies::read(&stage.kafka, Isolation::ReadUncommitted)?;
            let committed = stage.kafka.committed(PURCHASE_EXTRACTOR, CLICKSTREAM)?;
            let ahead = places(&stage.kafka)?
                .iter()
                .any(|(id, (partition, offset))| {
                    let next = committed.get(*partition).copied().flatten().unwrap_or(0);
                    written.of(*id) > 0 && *offset >= next
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

/// Makes the output topic anew, and forgets what the group has read.
fn empty(stage: &Stage) -> Result<()> {
    stage.kafka.delete_topics(&[PURCHASES])?;
    stage.kafka.create_topics(TOPICS)?;
    stage.kafka.delete_group(PURCHASE_EXTRACTOR, RESTART_LIMIT)
}

fn side_by_side(wrong: &Way, right: &Way, events: i64) -> String {
    let names = ["before the kill", "after it", "after the restart"];
    let ways = names.iter().zip(wrong.moments.iter().zip(&right.moments));
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

/// The zombie: an instance that does not know that another one has taken its place.
fn two_at_a_time(stage: &mut Stage) -> Result<()> {
    stage.say("\nTwo instances: the second one takes the transactional id of the first.");
    stage.publish(100)?;
    let mut first = stage.start(PROGRAM)?;
    // With nothing left to do it hears of nothing.
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
    stage.show("the first", &lines, 0, 1);
    read_all(stage).with_context(|| second.last_lines())?;
    second.interrupt()?;
    second.wait_for_end(RESTART_LIMIT)?;
    stage.find(
        6,
        "a second instance fences the first, which ends with an error",
        !status.success(),
        format!("the first: {status}; the second copied on"),
    );
    Ok(())
}
