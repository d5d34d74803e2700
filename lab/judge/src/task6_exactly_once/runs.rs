//! Task 6: the scenarios of `exactly_once`: what each of them causes, and what is seen.

use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result};
use broker::spent::{Waiting, count_as};
use broker::wait;
use common::PURCHASE_EXTRACTOR;

use crate::bench::gate::{Hold, Part, RequestKind};
use crate::bench::lane::{Lane, Scenario};
use crate::contract::{STOP_LIMIT, WORK_LIMIT};
use crate::data::events::{a_purchase_of_each_user, first_id};
use crate::history::logged::Logged;
use crate::task6_exactly_once::instance::{
    Awaited, Followed, Instance, Seen, committed, ended_transactions, is_through,
    transactional_ids, visible,
};
use crate::task6_exactly_once::purchases::{Faults, Purchases, places};
use crate::{Program, random_events};
use cluster::{Isolation, offsets};

/// How long it may take from the end of a transaction until every reader sees its records.
const MARKERS: Duration = Duration::from_secs(2);

/// How long a transaction may take to end if the commit that is held back comes after it. The member's heartbeats wait behind
/// that commit, so this must be well below its session timeout of 6 s.
const FOLLOWS: Duration = Duration::from_secs(1);

/// How long a second instance may take until the broker hears from it.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(5);

/// How many times two instances get work, and how long the first may take each time to notice that it is fenced.
const BATCHES_FOR_BOTH: u32 = 3;
const NOTICE_LIMIT: Duration = Duration::from_secs(4);

/// A run on empty topics that nothing disturbs, stopped with Ctrl-C.
pub struct Copied {
    pub seen: Seen,
    pub faults: Faults,
    /// How many commits the consumer sent outside of transactions.
    pub commits_outside: usize,
    /// The longest session timeout that a member asked for; `None` if it left that to the broker.
    pub session_timeout: Option<Duration>,
    pub status: Option<ExitStatus>,
    pub last_lines: String,
}

impl Copied {
    /// Whether anything was copied at all. If not, kills show nothing.
    pub fn any(&self) -> bool {
        self.seen.missing < self.seen.published
    }
}

/// The outcome of a scenario that makes sense only if the program copies anything.
pub enum Tried<T> {
    Ran(T),
    /// It was not run, because the program copied nothing when nothing disturbed it. These were its last lines.
    CopiesNothing(String),
}

impl<T> Tried<T> {
    /// Runs it, if the program copies anything.
    pub fn of(lane: &Lane, run: impl FnOnce() -> Result<T>) -> Result<Self> {
        let alone = lane.evidence(COPIED)?;
        if alone.any() {
            Ok(Self::Ran(run()?))
        } else {
            Ok(Self::CopiesNothing(alone.last_lines.clone()))
        }
    }
}

pub const COPIED: Scenario<Copied> = Scenario {
    name: "copied",
    run: copied,
};

fn copied(lane: &Lane) -> Result<Copied> {
    let first = first_id();
    let mut events = random_events(first, 60);
    events.extend(a_purchase_of_each_user(first + 60));
    let awaited = Awaited::publish(lane, &events)?.undisturbed();
    let mut run = Instance::start(lane)?;
    let seen = run.follow(lane, &awaited)?.seen;
    let faults = Faults::find(lane.kafka())?;
    let mut status = None;
    if run.program.is_running()? {
        run.program.interrupt()?;
        status = run.program.end_within(STOP_LIMIT)?;
    }
    let commits_outside = lane.last_requests("OFFSET_COMMIT", PURCHASE_EXTRACTOR)?;
    let last_lines = run.program.last_lines();
    run.kill(lane)?;
    Ok(Copied {
        seen,
        faults,
        commits_outside: commits_outside.len(),
        session_timeout: session_timeout(lane)?,
        status,
        last_lines,
    })
}

/// The run after the one that was stopped, on events that have come in between.
pub struct Resumed(pub Seen);

pub const RESUMED: Scenario<Tried<Resumed>> = Scenario {
    name: "resumed",
    run: resumed,
};

fn resumed(lane: &Lane) -> Result<Tried<Resumed>> {
    Tried::of(lane, || go_on(lane))
}

fn go_on(lane: &Lane) -> Result<Resumed> {
    let first = first_id();
    let mut events = random_events(first, 20);
    events.extend(a_purchase_of_each_user(first + 20));
    let awaited = Awaited::publish(lane, &events)?;
    let mut run = Instance::start(lane)?;
    let seen = run.follow(lane, &awaited)?.seen;
    run.kill(lane)?;
    Ok(Resumed(seen))
}

/// Copies and committed offsets at one moment, for purchases that had been published.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// How many purchases these are.
    pub of: usize,
    /// How many have a copy in `purchases`, committed or not.
    pub written: usize,
    /// How many have a copy that readers with `read_committed` see.
    pub visible: usize,
    /// How many lie before the committed offsets.
    pub passed: usize,
    /// How many have a visible copy and lie before the committed offsets, or have no such copy and do not.
    pub agree: usize,
    pub committed: String,
}

impl Snapshot {
    fn of(lane: &Lane, awaited: &Awaited) -> Result<Self> {
        let written = Purchases::read(lane.kafka(), Isolation::ReadUncommitted)?;
        let copies = visible(lane)?;
        let committed = committed(lane)?;
        let mut snapshot = Self {
            of: awaited.fresh.len(),
            written: written.among(&awaited.fresh),
            visible: copies.among(&awaited.fresh),
            committed: offsets(&committed),
            ..Self::default()
        };
        let places = places(lane.kafka())?;
        for (id, (partition, offset)) in places {
            if !awaited.fresh.contains(&id) {
                continue;
            }
            let passed = committed.get(partition).copied().flatten() > Some(offset);
            snapshot.passed += usize::from(passed);
            snapshot.agree += usize::from(passed == (copies.times(id) > 0));
        }
        Ok(snapshot)
    }

    fn note(&self, lane: &Lane) {
        lane.note(format!(
            "{} purchases were written; readers with read_committed see {} of them; committed offsets: {}",
            self.written, self.visible, self.committed
        ));
    }

    /// Whether copies and committed offsets agree.
    pub fn agrees(&self) -> bool {
        self.agree == self.of
    }
}

/// A run that is killed as soon as readers see the first of its copies. An offset that was not committed with them is lost:
/// commits of the consumer itself are held back.
pub struct AfterCommit {
    /// How many transactions were committed until then.
    pub transactions: usize,
    pub at_kill: Snapshot,
    /// What the next run did with it.
    pub seen: Seen,
}

pub const AFTER_COMMIT: Scenario<Tried<AfterCommit>> = Scenario {
    name: "after commit",
    run: after_commit,
};

fn after_commit(lane: &Lane) -> Result<Tried<AfterCommit>> {
    Tried::of(lane, || kill_after_commit(lane))
}

/// What comes first when a program has copied a batch, while commits of its consumer are held back.
enum First {
    /// The copies: the transaction ends without waiting for such a commit.
    Copies,
    /// The commit, which reaches the gate: the transaction ends only after it.
    Commit,
}

fn kill_after_commit(lane: &Lane) -> Result<AfterCommit> {
    let before = ended_transactions(lane, true)?;
    lane.hold(RequestKind::OffsetCommit);
    let mut run = Instance::start(lane)?;
    // One batch, so that a program that is killed after it has not begun the next transaction.
    let first_id = first_id();
    let mut awaited = Awaited::publish(lane, &a_purchase_of_each_user(first_id))?;
    match what_comes_first(lane, &mut run.program, &awaited, before)? {
        First::Copies => {
            run.program.kill_if_running()?;
            // A commit that was still to come never arrives.
            lane.turn_away();
        }
        First::Commit => {
            lane.release();
            awaited.follow(lane, &mut run.program)?;
            run.program.kill_if_running()?;
        }
    }
    let at_kill = settled(lane, &awaited)?;
    at_kill.note(lane);
    lane.remove_members(PURCHASE_EXTRACTOR)?;
    let transactions = ended_transactions(lane, true)? - before;
    awaited.publish_more(lane, &a_purchase_of_each_user(first_id + 20))?;
    let mut run = Instance::start(lane)?;
    let seen = run.follow(lane, &awaited)?.seen;
    run.kill(lane)?;
    Ok(AfterCommit {
        transactions,
        at_kill,
        seen,
    })
}

/// `ended` is the number of transactions that had been committed before.
fn what_comes_first(
    lane: &Lane,
    program: &mut Program,
    awaited: &Awaited,
    ended: usize,
) -> Result<First> {
    let are_visible = || anyhow::Ok(visible(lane)?.among(&awaited.fresh) > 0);
    program.until(WORK_LIMIT, || Ok(lane.is_holding() || are_visible()?))?;
    let has_ended = ended_transactions(lane, true)? > ended;
    let limit = if has_ended { MARKERS } else { FOLLOWS };
    let come_first = program.until(limit, are_visible)?;
    Ok(if come_first {
        First::Copies
    } else {
        First::Commit
    })
}

/// A snapshot at the moment when copies and offsets agree, or after some time: what was on its way to the broker arrives, or
/// does not.
fn settled(lane: &Lane, awaited: &Awaited) -> Result<Snapshot> {
    let mut last = None;
    let _waiting = count_as(Waiting::Kafka);
    wait::up_to(MARKERS, || {
        let now = Snapshot::of(lane, awaited)?;
        let agrees = now.agrees();
        last = Some(now);
        Ok(agrees.then_some(()))
    })?;
    last.context("nobody looked at the copies")
}

/// A run that is killed when it wants to commit its transaction, and the next run.
pub struct InTransaction {
    /// Whether it asked to end a transaction at all.
    pub tried: bool,
    pub at_kill: Snapshot,
    /// What the next run did, and whether it managed that in time.
    pub seen: Seen,
    pub in_time: bool,
}

pub const IN_TRANSACTION: Scenario<Tried<InTransaction>> = Scenario {
    name: "in transaction",
    run: in_transaction,
};

fn in_transaction(lane: &Lane) -> Result<Tried<InTransaction>> {
    Tried::of(lane, || kill_in_transaction(lane))
}

fn kill_in_transaction(lane: &Lane) -> Result<InTransaction> {
    // What Ctrl-C may have left behind concerns the run after it, which another check judges.
    lane.evidence(RESUMED)?;
    lane.hold(RequestKind::EndTxn);
    let mut run = Instance::start(lane)?;
    let awaited = Awaited::purchases(lane)?;
    run.program.until(WORK_LIMIT, || {
        Ok(lane.is_holding() || (is_through(lane)? && visible(lane)?.among(&awaited.fresh) > 0))
    })?;
    let tried = lane.is_holding();
    let at_kill = Snapshot::of(lane, &awaited)?;
    at_kill.note(lane);
    run.program.kill_if_running()?;
    lane.turn_away();
    lane.remove_members(PURCHASE_EXTRACTOR)?;
    let mut run = Instance::start(lane)?;
    let Followed { seen, in_time } = run.follow(lane, &awaited)?;

    run.kill(lane)?;
    Ok(InTransaction {
        tried,
        at_kill,
        seen,
        in_time,
    })
}

/// Two instances at the same time.
pub struct Fenced {
    /// How the first one ended; `None` if it was still running.
    pub first: Option<ExitStatus>,
    pub first_lines: String,
    /// Whether the second one was still running then.
    pub second_runs: bool,
    /// What became of the purchases that were published after both had started.
    pub seen: Seen,
}

pub const FENCED: Scenario<Tried<Fenced>> = Scenario {
    name: "fenced",
    run: fenced,
};

fn fenced(lane: &Lane) -> Result<Tried<Fenced>> {
    Tried::of(lane, || start_two(lane))
}

fn start_two(lane: &Lane) -> Result<Fenced> {
    let work = Awaited::purchases(lane)?;
    let mut first = Instance::start(lane)?;
    first.follow(lane, &work)?;
    let (ids, joined) = (transactional_ids(lane)?.len(), joins(lane)?);
    let mut second = Instance::start(lane)?;
    second.program.until(ARRIVAL_LIMIT, || {
        Ok(joins(lane)? > joined && (ids == 0 || transactional_ids(lane)?.len() > ids))
    })?;
    let mut awaited = Awaited::purchases(lane)?;
    let mut status = first.program.end_within(NOTICE_LIMIT)?;
    // An instance that gets no batch does not notice.
    for _ in 1..BATCHES_FOR_BOTH {
        if status.is_some() {
            break;
        }
        awaited.fresh.extend(Awaited::purchases(lane)?.fresh);
        status = first.program.end_within(NOTICE_LIMIT)?;
    }
    let second_runs = second.program.is_running()?;
    let mut seen = awaited.follow(lane, &mut second.program)?;
    let first_lines = first.program.last_lines();
    first.program.kill_if_running()?;
    second.kill(lane)?;
    if seen.missing > 0 {
        lane.note("not all is copied: one instance goes on alone");
        let mut alone = Instance::start(lane)?;
        seen = alone.follow(lane, &awaited)?.seen;
        alone.kill(lane)?;
    }
    Ok(Fenced {
        first: status,
        first_lines,
        second_runs,
        seen,
    })
}

/// The longest session timeout that members asked for.
fn session_timeout(lane: &Lane) -> Result<Option<Duration>> {
    let joins = lane.group_requests("JOIN_GROUP", PURCHASE_EXTRACTOR)?;
    Ok(joins.iter().filter_map(Logged::session_timeout).max())
}

/// How many times a program has joined the group.
fn joins(lane: &Lane) -> Result<usize> {
    let classic = lane.group_requests("JOIN_GROUP", PURCHASE_EXTRACTOR)?;
    let new = lane.group_requests("CONSUMER_GROUP_HEARTBEAT", PURCHASE_EXTRACTOR)?;
    let new = new.iter().filter(|logged| logged.joins_by_heartbeat());
    Ok(classic.len() + new.count())
}

/// An instance that is paused while it wants to commit its transaction. Another one copies the purchases; then the request of
/// the first one reaches the broker after all, and it goes on.
pub struct Paused {
    /// Whether it was paused there. If it never asked to commit a transaction, nothing else was tried.
    pub reached: bool,
    /// How it ended; `None` if it was still running, or was never paused.
    pub first: Option<ExitStatus>,
    pub seen: Seen,
}

pub const PAUSED: Scenario<Tried<Paused>> = Scenario {
    name: "paused",
    run: paused,
};

fn paused(lane: &Lane) -> Result<Tried<Paused>> {
    Tried::of(lane, || pause_in_transaction(lane))
}

fn pause_in_transaction(lane: &Lane) -> Result<Paused> {
    let nothing = Awaited::nothing(lane)?;
    let mut first = Instance::start(lane)?;
    nothing.follow(lane, &mut first.program)?;
    lane.hold_at(Hold {
        kind: RequestKind::EndTxn,
        after: 0,
        part: Part::Request,
        alone: true,
    });
    let mut awaited = Awaited::publish(lane, &a_purchase_of_each_user(first_id()))?;
    if !first.program.until(WORK_LIMIT, || Ok(lane.is_holding()))? {
        lane.note("it has not asked to commit a transaction");
        lane.release();
        let seen = awaited.follow(lane, &mut first.program)?;
        first.kill(lane)?;
        return Ok(Paused {
            reached: false,
            first: None,
            seen,
        });
    }
    if first.program.is_running()? {
        first.program.pause()?;
    }
    lane.note("it is paused, and the group removes it, as after its session timeout");
    lane.remove_members(PURCHASE_EXTRACTOR)?;
    let mut second = Instance::start(lane)?;
    second.follow(lane, &awaited)?;
    lane.note("its request to commit reaches the broker only now, and it goes on");
    lane.release();
    if first.program.is_running()? {
        first.program.resume()?;
    }
    let status = first.program.end_within(NOTICE_LIMIT)?;
    awaited.publish_more(lane, &a_purchase_of_each_user(first_id()))?;
    let seen = awaited.follow(lane, &mut second.program)?;
    let status = match status {
        None => first.program.end_within(WORK_LIMIT)?,
        ended => ended,
    };
    first.program.kill_if_running()?;
    second.kill(lane)?;
    Ok(Paused {
        reached: true,
        first: status,
        seen,
    })
}
