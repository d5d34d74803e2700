//! Task 6: the scenarios in which a transaction fails, and the program lives.

use std::time::Duration;

use anyhow::Result;

use crate::Program;
use crate::bench::gate::RequestKind;
use crate::bench::lane::{Lane, Scenario};
use crate::contract::{RECOVERY_LIMIT, WORK_LIMIT};
use crate::data::events::{a_purchase_of_each_user, first_id};
use crate::task6_exactly_once::instance::{
    Awaited, Instance, Seen, ended_transactions, transactional_ids,
};
use crate::task6_exactly_once::runs::Tried;

/// How long a program whose offsets are refused may take to abort.
const ABORT_LIMIT: Duration = Duration::from_secs(5);

/// Kafka's own topic for committed offsets.
const OFFSETS: &str = "__consumer_offsets";

/// The largest batch that a topic accepts, in bytes: Kafka's default for `max.message.bytes`.
const LARGEST: &str = "1048588";

/// Room for the markers that end transactions (78 bytes each), but not for an offset.
const TOO_SMALL: &str = "100";

/// A run whose offsets are refused for a while, so that it cannot commit a transaction.
pub struct Refused {
    /// Whether any were refused.
    pub refused: bool,
    /// Whether it ended by itself, so that another one had to be started.
    pub ended: bool,
    /// Whether it did not copy everything afterwards, so that it was killed and started again.
    pub stuck: bool,
    pub seen: Seen,
}

pub const REFUSED: Scenario<Tried<Refused>> = Scenario {
    name: "refused",
    run: refused,
};

fn refused(lane: &Lane) -> Result<Tried<Refused>> {
    Tried::of(lane, || refuse(lane))
}

fn refuse(lane: &Lane) -> Result<Refused> {
    let work = Awaited::purchases(lane)?;
    let mut run = Instance::start(lane)?;
    run.follow(lane, &work)?;
    let refusals = refusals(lane)?;
    let is_refused = || Ok(self::refusals(lane)? > refusals);
    lane.note("from here on the broker refuses offsets: they are too large for it");
    let awaited = set_largest(lane, TOO_SMALL)
        .and_then(|()| refuse_until_aborted(lane, &mut run.program, is_refused));
    // Also after an error, because this broker is used again.
    set_largest(lane, LARGEST)?;
    let mut awaited = awaited?;
    lane.note("the broker takes offsets again");
    let mut seen = run.follow(lane, &awaited)?.seen;
    let ended = !run.program.is_running()?;
    let stuck = !ended && seen.missing > 0;
    if stuck {
        // A program that has lost its batch goes on with the next one, and commits past what is lost. One that hangs does not.
        awaited.publish_more(lane, &a_purchase_of_each_user(first_id()))?;
        run.follow(lane, &awaited)?;
    }
    run.kill(lane)?;
    if ended || stuck {
        let mut run = Instance::start(lane)?;
        seen = run.follow(lane, &awaited)?.seen;
        run.kill(lane)?;
    }
    Ok(Refused {
        refused: is_refused()?,
        ended,
        stuck,
        seen,
    })
}

/// Gives a program work that is refused, and waits until it aborts or ends.
fn refuse_until_aborted(
    lane: &Lane,
    program: &mut Program,
    is_refused: impl Fn() -> Result<bool>,
) -> Result<Awaited> {
    let aborts = ended_transactions(lane, false)?;
    let awaited = Awaited::purchases(lane)?;
    program.until(RECOVERY_LIMIT, is_refused)?;
    program.until(
        ABORT_LIMIT,
        || Ok(ended_transactions(lane, false)? > aborts),
    )?;
    Ok(awaited)
}

fn set_largest(lane: &Lane, bytes: &str) -> Result<()> {
    lane.kafka()
        .set_topic_config(OFFSETS, "max.message.bytes", bytes)
}

/// How many times offsets were refused, in a transaction or not.
fn refusals(lane: &Lane) -> Result<usize> {
    let mut refusals = 0;
    for kind in ["TXN_OFFSET_COMMIT", "OFFSET_COMMIT"] {
        for logged in lane.requests_of_programs(kind)? {
            let is_refused = logged.committed().any(|one| one.error_code != 0);
            refusals += usize::from(is_refused);
        }
    }
    Ok(refusals)
}

/// Runs whose transactions fail in other ways.
pub struct Disturbed {
    /// How many answers were lost, of how many.
    pub lost: usize,
    pub of: usize,
    /// Whether a transaction was aborted between its records and its offsets.
    pub aborted: bool,
    pub seen: Seen,
}

pub const DISTURBED: Scenario<Tried<Disturbed>> = Scenario {
    name: "disturbed",
    run: disturbed,
};

fn disturbed(lane: &Lane) -> Result<Tried<Disturbed>> {
    Tried::of(lane, || disturb(lane))
}

/// The requests whose answers are lost, one after the other.
const UNANSWERED: &[RequestKind] = &[RequestKind::TxnOffsetCommit, RequestKind::EndTxn];

fn disturb(lane: &Lane) -> Result<Disturbed> {
    let mut awaited = Awaited::nothing(lane)?;
    let mut lost = 0;
    for kind in UNANSWERED {
        let mut run = Instance::start(lane)?;
        awaited.follow(lane, &mut run.program)?;
        lane.lose(*kind);
        awaited.publish_more(lane, &a_purchase_of_each_user(first_id()))?;
        recovered(lane, run, &awaited)?.kill(lane)?;
        lost += usize::from(lane.is_holding());
        lane.release();
    }
    let mut run = Instance::start(lane)?;
    awaited.follow(lane, &mut run.program)?;
    let aborted = abort_in_the_middle(lane, &mut run.program, &mut awaited)?;
    let mut run = recovered(lane, run, &awaited)?;
    let seen = awaited.follow(lane, &mut run.program)?;
    run.kill(lane)?;
    Ok(Disturbed {
        lost,
        of: UNANSWERED.len(),
        aborted,
        seen,
    })
}

/// Follows what is awaited. If the program ends, or gets stuck (as some clients do when a connection is closed), it is started
/// again. Returns the instance that runs then.
fn recovered(lane: &Lane, mut run: Instance, awaited: &Awaited) -> Result<Instance> {
    let seen = run.follow(lane, awaited)?.seen;
    if seen.missing == 0 && run.program.is_running()? {
        return Ok(run);
    }
    lane.note("it has ended, or does not go on; it is started again");
    run.kill(lane)?;
    let mut next = Instance::start(lane)?;
    next.follow(lane, awaited)?;
    Ok(next)
}

/// Aborts a transaction in the program's name, after its records have reached the broker, and before its offsets do. Returns
/// whether that came about.
fn abort_in_the_middle(lane: &Lane, program: &mut Program, awaited: &mut Awaited) -> Result<bool> {
    lane.hold(RequestKind::TxnOffsetCommit);
    awaited.publish_more(lane, &a_purchase_of_each_user(first_id()))?;
    program.until(WORK_LIMIT, || Ok(lane.is_holding()))?;
    let mut is_aborted = false;
    if let (true, Some(id)) = (lane.is_holding(), transactional_ids(lane)?.last()) {
        lane.note("its transaction is aborted, and its offsets reach the broker only then");
        lane.kafka().fence(id)?;
        is_aborted = true;
    }
    lane.release();
    Ok(is_aborted)
}
