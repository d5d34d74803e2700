//! Task 6: the runs of the extractor that its checks look at, and what each of them causes.

use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Result;
use broker::wait;
use common::PURCHASE_EXTRACTOR;

use crate::bench::gate::Request;
use crate::bench::lane::Lane;
use crate::data::events::{a_purchase_of_each_user, first_id};
use crate::history::sentence::partitions_of;
use crate::task6_exactly_once::copies::{Copies, Faults, places};
use crate::task6_exactly_once::run::{
    Awaited, RECOVERY_LIMIT, Run, START_LIMIT, Seen, committed, ended_transactions, is_through,
    transactional_ids, visible,
};
use crate::{Program, random_events};
use cluster::{Isolation, offsets};

/// How long a transaction may take from its end to its last reader.
const MARKERS: Duration = Duration::from_secs(2);

/// How long a transaction may take to end, where the commit that is held back comes after it. The member's heartbeats are
/// held back behind that commit: this is well within a session timeout of 6 s.
const FOLLOWS: Duration = Duration::from_secs(1);

/// How long a second instance may take to make itself known.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(5);

/// How often two instances get something to do, and how long the first may take each time to notice that it is fenced.
const BATCHES_FOR_BOTH: u32 = 3;
const NOTICE_LIMIT: Duration = Duration::from_secs(4);

/// How long a refused program may take to abort.
const ABORT_LIMIT: Duration = Duration::from_secs(5);

/// By the contract.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Where Kafka keeps what groups have committed.
const OFFSETS: &str = "__consumer_offsets";

/// The size in bytes of the largest batch that a topic takes (`max.message.bytes`), as Kafka has it.
const LARGEST: &str = "1048588";

/// Room for the markers that end transactions (78 bytes), and for no offset.
const TOO_SMALL: &str = "100";

/// A run on empty topics that was left alone, and then stopped with Ctrl-C.
pub struct Copied {
    pub seen: Seen,
    pub faults: Faults,
    pub status: Option<ExitStatus>,
    pub last_lines: String,
}

impl Copied {
    /// Was anything copied at all? Without that, nothing can be told of kills.
    pub fn any(&self) -> bool {
        self.seen.missing < self.seen.published
    }
}

/// What became of a run that only means something where a program copies at all.
pub enum Tried<T> {
    Ran(T),
    /// It was not even started: left alone, the program had copied nothing. Its last lines.
    CopiesNothing(String),
}

impl<T> Tried<T> {
    fn of(lane: &Lane, run: impl FnOnce() -> Result<T>) -> Result<Self> {
        let alone = lane.evidence(copied)?;
        if alone.any() {
            Ok(Self::Ran(run()?))
        } else {
            Ok(Self::CopiesNothing(alone.last_lines.clone()))
        }
    }
}

pub fn copied(lane: &Lane) -> Result<Copied> {
    let first = first_id();
    let mut events = random_events(first, 60);
    events.extend(a_purchase_of_each_user(first + 60));
    let awaited = Awaited::publish(lane, &events)?;
    let mut run = Run::start(lane)?;
    let (seen, _) = run.follow(lane, &awaited)?;
    let faults = Faults::find(lane.kafka())?;
    let mut status = None;
    if run.program.is_running()? {
        run.program.interrupt()?;
        status = run.program.end_within(STOP_LIMIT)?;
    }
    let last_lines = run.program.last_lines();
    run.kill(lane)?;
    Ok(Copied {
        seen,
        faults,
        status,
        last_lines,
    })
}

/// A run after the one that was stopped, on events that had come in between.
pub struct Resumed(pub Seen);

pub fn resumed(lane: &Lane) -> Result<Tried<Resumed>> {
    Tried::of(lane, || go_on(lane))
}

fn go_on(lane: &Lane) -> Result<Resumed> {
    let first = first_id();
    let mut events = random_events(first, 20);
    events.extend(a_purchase_of_each_user(first + 20));
    let awaited = Awaited::publish(lane, &events)?;
    let mut run = Run::start(lane)?;
    let (seen, _) = run.follow(lane, &awaited)?;
    run.kill(lane)?;
    Ok(Resumed(seen))
}

/// What is where at one moment, of purchases that had been published: copies and offsets.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// How many there are.
    pub of: usize,
    /// How many lie in `purchases`, whether or not committed.
    pub written: usize,
    /// How many of them readers with `read_committed` see.
    pub visible: usize,
    /// How many the committed offsets are past.
    pub passed: usize,
    /// How many are both visible and passed, or neither.
    pub agree: usize,
    pub committed: String,
}

impl Moment {
    fn of(lane: &Lane, awaited: &Awaited) -> Result<Self> {
        let written = Copies::read(lane.kafka(), Isolation::ReadUncommitted)?;
        let copies = visible(lane)?;
        let committed = committed(lane)?;
        let mut moment = Self {
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
            moment.passed += usize::from(passed);
            moment.agree += usize::from(passed == (copies.of(id) > 0));
        }
        Ok(moment)
    }

    fn note(&self, lane: &Lane) {
        lane.note(format!(
            "{} copies lie there, {} of them to be seen with read_committed; committed offsets: {}",
            self.written, self.visible, self.committed
        ));
    }

    /// Do copies and offsets say the same?
    pub fn agrees(&self) -> bool {
        self.agree == self.of
    }
}

/// A run that was killed as soon as readers saw the first of its copies. An offset that was not committed with them comes no
/// more: commits of the consumer's own were held back.
pub struct AfterCommit {
    /// Transactions committed until then.
    pub transactions: usize,
    pub at_kill: Moment,
    /// What the next run made of it.
    pub seen: Seen,
}

pub fn after_commit(lane: &Lane) -> Result<Tried<AfterCommit>> {
    Tried::of(lane, || kill_after_commit(lane))
}

fn kill_after_commit(lane: &Lane) -> Result<AfterCommit> {
    let before = ended_transactions(lane, true)?;
    lane.hold(Request::OffsetCommit);
    let mut run = Run::start(lane)?;
    // One batch: whoever is killed after it has not begun the next transaction.
    let first = first_id();
    let mut awaited = Awaited::publish(lane, &a_purchase_of_each_user(first))?;
    run.program.until(START_LIMIT, || {
        Ok(lane.is_holding() || visible(lane)?.among(&awaited.fresh) > 0)
    })?;
    // A commit that comes first is let through, and the copies then follow it; one that comes last never arrives.
    let has_ended = ended_transactions(lane, true)? > before;
    let limit = if has_ended { MARKERS } else { FOLLOWS };
    let is_last = run
        .program
        .until(limit, || Ok(visible(lane)?.among(&awaited.fresh) > 0))?;
    if !is_last {
        lane.release();
        awaited.follow(lane, &mut run.program)?;
    }
    run.program.kill_if_running()?;
    if is_last {
        lane.turn_away();
    }
    // What was on its way to the broker arrives, or not.
    let mut at_kill = Moment::of(lane, &awaited)?;
    wait::up_to(MARKERS, || {
        at_kill = Moment::of(lane, &awaited)?;
        Ok(at_kill.agrees().then_some(()))
    })?;
    at_kill.note(lane);
    lane.remove_members(PURCHASE_EXTRACTOR)?;
    let transactions = ended_transactions(lane, true)? - before;
    awaited.publish_more(lane, &a_purchase_of_each_user(first + 20))?;
    let mut run = Run::start(lane)?;
    let (seen, _) = run.follow(lane, &awaited)?;
    run.kill(lane)?;
    Ok(AfterCommit {
        transactions,
        at_kill,
        seen,
    })
}

/// A run that was killed when it wanted to commit its transaction; the next one, which was killed when it sent records; and
/// the one after that.
pub struct InTransaction {
    /// Did it ask for a transaction's end at all?
    pub tried: bool,
    pub at_kill: Moment,
    /// What the run after the first kill made of it, and whether readers saw it in time.
    pub seen: Seen,
    pub in_time: bool,
    /// What the run after the second kill made of it.
    pub seen_again: Seen,
}

pub fn in_transaction(lane: &Lane) -> Result<Tried<InTransaction>> {
    Tried::of(lane, || kill_in_transaction(lane))
}

fn kill_in_transaction(lane: &Lane) -> Result<InTransaction> {
    lane.hold(Request::EndTxn);
    let mut run = Run::start(lane)?;
    let awaited = Awaited::purchases(lane)?;
    run.program.until(START_LIMIT, || {
        Ok(lane.is_holding() || (is_through(lane)? && visible(lane)?.among(&awaited.fresh) > 0))
    })?;
    let tried = lane.is_holding();
    let at_kill = Moment::of(lane, &awaited)?;
    at_kill.note(lane);
    run.program.kill_if_running()?;
    lane.turn_away();
    lane.remove_members(PURCHASE_EXTRACTOR)?;
    let mut run = Run::start(lane)?;
    let (seen, in_time) = run.follow(lane, &awaited)?;

    lane.hold(Request::Produce);
    let awaited = Awaited::purchases(lane)?;
    run.program
        .until(RECOVERY_LIMIT, || Ok(lane.is_holding()))?;
    run.program.kill_if_running()?;
    lane.turn_away();
    lane.remove_members(PURCHASE_EXTRACTOR)?;
    let mut run = Run::start(lane)?;
    let (seen_again, _) = run.follow(lane, &awaited)?;
    run.kill(lane)?;
    Ok(InTransaction {
        tried,
        at_kill,
        seen,
        in_time,
        seen_again,
    })
}

/// Two instances at the same time.
pub struct Fenced {
    /// How the first one ended; `None` where it was still running.
    pub first: Option<ExitStatus>,
    pub first_lines: String,
    /// Was the second one still running then?
    pub second_runs: bool,
    /// What became of what was published once both ran.
    pub seen: Seen,
}

pub fn fenced(lane: &Lane) -> Result<Tried<Fenced>> {
    Tried::of(lane, || start_two(lane))
}

fn start_two(lane: &Lane) -> Result<Fenced> {
    let work = Awaited::purchases(lane)?;
    let mut first = Run::start(lane)?;
    first.follow(lane, &work)?;
    let (ids, joined) = (transactional_ids(lane)?.len(), joins(lane)?);
    let mut second = Run::start(lane)?;
    second.program.until(ARRIVAL_LIMIT, || {
        Ok(joins(lane)? > joined && (ids == 0 || transactional_ids(lane)?.len() > ids))
    })?;
    let mut awaited = Awaited::purchases(lane)?;
    let mut status = first.program.end_within(NOTICE_LIMIT)?;
    // Whoever has no batch does not notice.
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
        let mut alone = Run::start(lane)?;
        (seen, _) = alone.follow(lane, &awaited)?;
        alone.kill(lane)?;
    }
    Ok(Fenced {
        first: status,
        first_lines,
        second_runs,
        seen,
    })
}

/// How often a program has joined the group.
fn joins(lane: &Lane) -> Result<usize> {
    let classic = lane.group_requests("JOIN_GROUP", PURCHASE_EXTRACTOR)?;
    let new = lane.group_requests("CONSUMER_GROUP_HEARTBEAT", PURCHASE_EXTRACTOR)?;
    let new = new
        .iter()
        .filter(|logged| logged["request"]["memberEpoch"] == 0);
    Ok(classic.len() + new.count())
}

/// A run whose offsets were refused for a while, so that no transaction could be committed.
pub struct Refused {
    /// Were any refused?
    pub refused: bool,
    /// Had it ended by itself, so that another had to be started?
    pub ended: bool,
    pub seen: Seen,
}

pub fn refused(lane: &Lane) -> Result<Tried<Refused>> {
    Tried::of(lane, || refuse(lane))
}

fn refuse(lane: &Lane) -> Result<Refused> {
    let work = Awaited::purchases(lane)?;
    let mut run = Run::start(lane)?;
    run.follow(lane, &work)?;
    let refusals = refusals(lane)?;
    let is_refused = || Ok(self::refusals(lane)? > refusals);
    lane.note("from here on the broker refuses offsets: they are too large for it");
    let awaited = set_largest(lane, TOO_SMALL)
        .and_then(|()| refuse_until_aborted(lane, &mut run.program, is_refused));
    // Whatever happened: this broker is used again.
    set_largest(lane, LARGEST)?;
    let awaited = awaited?;
    lane.note("the broker takes offsets again");
    let (mut seen, _) = run.follow(lane, &awaited)?;
    let ended = !run.program.is_running()?;
    run.kill(lane)?;
    if ended {
        let mut run = Run::start(lane)?;
        (seen, _) = run.follow(lane, &awaited)?;
        run.kill(lane)?;
    }
    Ok(Refused {
        refused: is_refused()?,
        ended,
        seen,
    })
}

/// Gives a program something to do that is refused, until it aborts, or ends.
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

/// How often offsets were refused, in a transaction or not.
fn refusals(lane: &Lane) -> Result<usize> {
    let mut refusals = 0;
    for kind in ["TXN_OFFSET_COMMIT", "OFFSET_COMMIT"] {
        for logged in lane.requests_of_programs(kind)? {
            let mut answers = partitions_of(&logged["response"]["topics"], "partitions");
            refusals += usize::from(answers.any(|answer| answer["errorCode"] != 0));
        }
    }
    Ok(refusals)
}
