//! Task 2: the runs of the consumer that its checks look at, and what each of them causes.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::Result;
use broker::wait;
use common::{ANALYTICS_SERVICE, CLICKSTREAM};

use crate::bench::fetches::{fetches, handed_out};
use crate::bench::gate::Request;
use crate::bench::lane::Lane;
use crate::task2_consumer::expected::Slice;
use crate::task2_consumer::output::{add, summaries, totals};
use crate::{Line, Program, random_events};
use cluster::sum;

/// By the contract, in events.
pub const BATCH: u64 = 20;

/// So many events are read by the first run that is not killed: two batches.
pub const FIRST_READ: u64 = 2 * BATCH;

/// So many more come then: they stay a part batch.
pub const PART_BATCH: u64 = 10;

/// How long a program may take to join, to read, and to report its batches.
const LIMIT: Duration = Duration::from_secs(20);

/// Longer than the 5 s after which a client commits by itself (`auto.commit.interval.ms`).
const AUTO_COMMIT: Duration = Duration::from_secs(6);

/// How long a commit stays unacknowledged.
const HELD: Duration = Duration::from_secs(1);

/// How long a program that has printed something may be silent before it counts as having said all.
const QUIET: Duration = Duration::from_secs(5);

/// How long the last commit may take to come; and how long no commit must have come for the last one to count as the last.
const LAST_COMMIT: Duration = Duration::from_secs(4);
const SETTLE: Duration = Duration::from_millis(400);

/// By the contract.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// A run that blocked in the first print of its first batch, and was killed there.
pub struct Stalled {
    /// Did it own all partitions, under the group's name?
    pub joined: bool,
    pub committed: Vec<Option<i64>>,
}

pub fn stalled(lane: &Lane) -> Result<Stalled> {
    // Whatever it says before it has anything to do is not in its way.
    let mut program = lane.start_to_stall("consumer")?;
    let joined = wait_until_joined(lane, &mut program, LIMIT)?;
    lane.stall(&mut program)?;
    lane.publish(&random_events(0, FIRST_READ))?;
    if joined {
        // What it has not polled, no timer commits. Whoever prints something first blocks there, and polls nothing.
        let ends = lane.kafka().ends(CLICKSTREAM)?;
        program.until(QUIET, || handed_out(lane, 0, &ends))?;
    }
    let end = Instant::now() + AUTO_COMMIT;
    let mut seen = committed(lane)?;
    while joined && sum(&seen) == 0 && Instant::now() < end {
        wait::pass(Duration::from_millis(100))?;
        seen = committed(lane)?;
    }
    end_by_kill(lane, program)?;
    Ok(Stalled {
        joined,
        committed: seen,
    })
}

/// A run that found two batches. Its first commit was held back for a second. Then ten more events came, and Ctrl-C.
pub struct Read {
    /// What there was to read.
    pub expected: Slice,
    pub before: Vec<Option<i64>>,
    /// Did it fetch records at all?
    pub fetched: bool,
    /// Did it report a commit that nobody had acknowledged?
    pub reported_early: bool,
    /// Commits that the broker was asked for until two batches were reported.
    pub commits: usize,
    /// What was committed then, and what it had printed.
    pub committed: Vec<Option<i64>>,
    pub lines: Vec<String>,
    /// And after Ctrl-C.
    pub committed_at_end: Vec<Option<i64>>,
    pub lines_at_end: Vec<String>,
    pub status: Option<ExitStatus>,
    pub last_lines: String,
}

pub fn read(lane: &Lane) -> Result<Read> {
    lane.evidence(stalled)?;
    let before = committed(lane)?;
    fill_up(lane, &before, FIRST_READ)?;
    let expected = Slice::from(lane.kafka(), &before)?;
    let (commits_before, fetches_before) = (commits(lane)?, fetches(lane)?);
    lane.hold(Request::OffsetCommit);
    let mut program = start_and_join(lane)?;
    let limit = patience(lane)?;
    program.wait_while_it_prints(limit, QUIET, |lines| {
        (lane.is_holding() || committed_lines(lines) > 0).then_some(())
    })?;
    // Who does not wait for its commit says so first.
    if program.until(HELD, || Ok(lane.is_holding()))? {
        wait::pass(HELD)?;
    }
    let reported_early = committed_lines(&program.lines()) > 0;
    lane.release();
    wait_for_batches(&mut program, FIRST_READ / BATCH, limit)?;
    let settled = settled(lane, &mut program)?;
    let commits = commits(lane)? - commits_before;
    let lines = program.texts();

    lane.publish(&random_events(FIRST_READ, PART_BATCH))?;
    let ends = lane.kafka().ends(CLICKSTREAM)?;
    program.until(limit, || handed_out(lane, fetches_before, &ends))?;
    let fetched = fetches(lane)? > fetches_before;
    let _ = program.interrupt();
    let status = program.end_within(STOP_LIMIT)?;
    let read = Read {
        expected,
        before,
        fetched,
        reported_early,
        commits,
        committed: settled,
        lines,
        committed_at_end: committed(lane)?,
        lines_at_end: program.texts(),
        status,
        last_lines: program.last_lines(),
    };
    end_by_kill(lane, program)?;
    Ok(read)
}

/// A run that reads all that was not committed before it.
pub struct Run {
    pub expected: Slice,
    pub before: Vec<Option<i64>>,
    pub after: Vec<Option<i64>>,
    pub lines: Vec<String>,
    pub last_lines: String,
}

/// Lets a program read so many events, or a few more: whole batches.
fn read_on(lane: &Lane, least: u64) -> Result<(Program, Run)> {
    let before = committed(lane)?;
    let unread = fill_up(lane, &before, least)?;
    let expected = Slice::from(lane.kafka(), &before)?;
    let mut program = start_and_join(lane)?;
    wait_for_batches(&mut program, unread / BATCH, patience(lane)?)?;
    let run = Run {
        expected,
        before,
        after: settled(lane, &mut program)?,
        lines: program.texts(),
        last_lines: program.last_lines(),
    };
    Ok((program, run))
}

impl Run {
    /// Did it commit, and count just what there was?
    pub fn read_what_there_was(&self) -> bool {
        sum(&self.after) > sum(&self.before) && counts_right(&self.lines, &self.expected)
    }
}

/// Do the summaries or the running totals count just these events? Whether both do is other checks' affair.
fn counts_right(lines: &[String], expected: &Slice) -> bool {
    add(&summaries(lines)) == expected.counts || totals(lines).last() == Some(&expected.counts)
}

/// A run after the one that was stopped. Then it processed one more batch, but its commit never came to the broker: it was
/// killed in between.
pub struct Resumed {
    pub run: Run,
    /// Did the commit of that batch come as far as the gate?
    pub tried: bool,
    pub committed_after_kill: Vec<Option<i64>>,
}

pub fn resumed(lane: &Lane) -> Result<Resumed> {
    lane.evidence(read)?;
    let (mut program, run) = read_on(lane, 2 * BATCH)?;
    lane.hold(Request::OffsetCommit);
    lane.publish(&random_events(0, BATCH))?;
    let tried = program
        .wait_while_it_prints(patience(lane)?, QUIET, |_| lane.is_holding().then_some(()))?;
    program.kill_if_running()?;
    lane.turn_away();
    end_by_kill(lane, program)?;
    Ok(Resumed {
        run,
        tried: tried.is_some(),
        committed_after_kill: committed(lane)?,
    })
}

/// A run after the kill.
pub struct Redelivered(pub Run);

pub fn redelivered(lane: &Lane) -> Result<Redelivered> {
    lane.evidence(resumed)?;
    let (program, run) = read_on(lane, BATCH)?;
    end_by_kill(lane, program)?;
    Ok(Redelivered(run))
}

/// Nobody has to wait for a session to time out.
fn end_by_kill(lane: &Lane, mut program: Program) -> Result<()> {
    program.kill_if_running()?;
    lane.remove_members(ANALYTICS_SERVICE)
}

/// Starts a program, and waits until it owns all partitions: how long that takes is the machine's affair.
fn start_and_join(lane: &Lane) -> Result<Program> {
    let mut program = lane.start("consumer")?;
    wait_until_joined(lane, &mut program, patience(lane)?)?;
    Ok(program)
}

fn wait_until_joined(lane: &Lane, program: &mut Program, limit: Duration) -> Result<bool> {
    program.until(limit, || {
        Ok(lane.owned(ANALYTICS_SERVICE, CLICKSTREAM)? == 3)
    })
}

/// How long a program may take until it prints something: not long, where it did not even join the group before.
fn patience(lane: &Lane) -> Result<Duration> {
    let joined = lane.evidence(stalled)?.joined;
    Ok(if joined { LIMIT } else { QUIET })
}

fn wait_for_batches(program: &mut Program, batches: u64, limit: Duration) -> Result<()> {
    let batches = usize::try_from(batches)?;
    program.wait_while_it_prints(limit, QUIET, |lines| {
        (committed_lines(lines) >= batches).then_some(())
    })?;
    Ok(())
}

/// Publishes as many events as are missing, so that those not committed are whole batches, and at least so many. Returns
/// how many that are.
fn fill_up(lane: &Lane, committed: &[Option<i64>], least: u64) -> Result<u64> {
    let ends: i64 = lane.kafka().ends(CLICKSTREAM)?.iter().sum();
    let unread = u64::try_from(ends.saturating_sub(sum(committed))).unwrap_or_default();
    let wanted = unread.max(least).next_multiple_of(BATCH);
    if wanted > unread {
        lane.publish(&random_events(u64::try_from(ends)?, wanted - unread))?;
    }
    Ok(wanted)
}

fn committed(lane: &Lane) -> Result<Vec<Option<i64>>> {
    lane.kafka().committed(ANALYTICS_SERVICE, CLICKSTREAM)
}

/// What is committed once no more commits come. Whoever commits all, and does not wait for it, has time to.
fn settled(lane: &Lane, program: &mut Program) -> Result<Vec<Option<i64>>> {
    let ends: i64 = lane.kafka().ends(CLICKSTREAM)?.iter().sum();
    program.until(LAST_COMMIT, || Ok(sum(&committed(lane)?) >= ends))?;
    let mut last = committed(lane)?;
    loop {
        wait::pass(SETTLE)?;
        let later = committed(lane)?;
        if later == last {
            return Ok(later);
        }
        last = later;
    }
}

fn committed_lines(lines: &[Line]) -> usize {
    lines
        .iter()
        .filter(|line| line.text.contains("Committed"))
        .count()
}

/// How many commits of the group the broker has been asked for.
fn commits(lane: &Lane) -> Result<usize> {
    Ok(lane
        .group_requests("OFFSET_COMMIT", ANALYTICS_SERVICE)?
        .len())
}
