//! Task 2: the scenarios of the consumer: what each of them causes, and what is seen.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use broker::wait;
use common::{ANALYTICS_SERVICE, CLICKSTREAM};

use crate::bench::fetches::{fetches, handed_out};
use crate::bench::gate::RequestKind;
use crate::bench::lane::{Lane, Scenario};
use crate::client_timers::AUTO_COMMIT;
use crate::contract::{BATCH, STOP_LIMIT, WORK_LIMIT};
use crate::task2_consumer::expected::ExpectedOutput;
use crate::task2_consumer::output::{add, summaries, total, totals};
use crate::{Line, Program, random_events};
use cluster::sum;

/// How many events the first run finds that is not killed: two batches.
pub const FIRST_READ: u64 = 2 * BATCH;

/// How many events come after them: an incomplete batch.
pub const PART_BATCH: u64 = 10;

/// How long a commit stays unacknowledged.
const HELD: Duration = Duration::from_secs(1);

/// How long a program that has printed something may be silent, before nothing more is expected of it.
const QUIET: Duration = Duration::from_secs(5);

/// How long the last commit may take to come.
const LAST_COMMIT: Duration = Duration::from_secs(4);

/// A commit counts as the last one if no other comes for this long; a program that never stops committing is not waited for.
const SETTLE: Duration = Duration::from_millis(400);
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

/// A run that is blocked in the first print of its first batch, and killed there.
pub struct Stalled {
    /// Whether it owned all partitions, in the right group.
    pub joined: bool,
    /// Whether the program can be blocked in a print. If not, what it has committed says nothing.
    pub blocks: bool,
    pub before: Vec<Option<i64>>,
    pub committed: Vec<Option<i64>>,
}

impl Stalled {
    /// How many events it had committed while it was blocked in the middle of its first batch.
    pub fn early(&self) -> i64 {
        if self.blocks {
            sum(&self.committed) - sum(&self.before)
        } else {
            0
        }
    }
}

pub const STALLED: Scenario<Stalled> = Scenario {
    name: "stalled",
    run: stalled,
};

fn stalled(lane: &Lane) -> Result<Stalled> {
    if unread(lane, &committed(lane)?)? >= BATCH {
        // It would process a batch before it is stalled.
        lane.begin_anew()?;
    }
    // It may print something before it has anything to do.
    let mut program = lane.start_to_stall("consumer")?;
    let joined = wait_until_joined(lane, &mut program, WORK_LIMIT)?;
    let joined_at = Instant::now();
    lane.stall(&mut program)?;
    let before = committed(lane)?;
    lane.publish(&random_events(0, FIRST_READ))?;
    if joined {
        // A timer commits only what was polled. A program that prints something before it polls is blocked already.
        let ends = lane.kafka().ends(CLICKSTREAM)?;
        program.until(QUIET, || handed_out(lane, 0, &ends))?;
    }
    let mut seen = committed(lane)?;
    if joined {
        // The timer has run since the program joined, unless it has fired before the events were there.
        let elapsed = joined_at.elapsed();
        let rest = if elapsed < AUTO_COMMIT / 2 {
            AUTO_COMMIT - elapsed
        } else {
            AUTO_COMMIT
        };
        wait::pass_unless(rest, || {
            seen = committed(lane)?;
            let is_decided = seen != before || !program.blocks_in_print()?;
            Ok(is_decided.then_some(()))
        })?;
    }
    let blocks = program.blocks_in_print()?;
    if !blocks {
        lane.note("it goes on although it can print nothing: it keeps its lines in memory");
    }
    end_by_kill(lane, program)?;
    Ok(Stalled {
        joined,
        blocks,
        before,
        committed: seen,
    })
}

/// A run that finds two batches. Its first commit is held back for a second. Then ten more events come, and Ctrl-C.
pub struct FirstRun {
    /// Whether it owned all partitions, in the right group.
    pub joined: bool,
    /// Whether a full pipe would stop it in a print.
    pub blocks: bool,
    /// The events that it finds.
    pub expected: ExpectedOutput,
    pub before: Vec<Option<i64>>,
    /// Whether it fetched records at all.
    pub fetched: bool,
    /// Whether the broker had sent it the events after the two batches before it was stopped.
    pub received_part: bool,
    /// Whether its first commit was held back.
    pub held: bool,
    /// Whether it reported a commit before the broker had answered it.
    pub reported_early: bool,
    /// How many commits the broker was asked for, until two batches were reported.
    pub commits: usize,
    /// By how many events the first of them moved the committed offsets; and how many events the program had counted in its
    /// summaries while that commit was held back.
    pub first_commit: i64,
    pub counted_by_then: u64,
    /// What was committed at that time, and what the program had printed.
    pub committed: Vec<Option<i64>>,
    pub lines: Vec<String>,
    /// By how many events the committed offsets moved while it had an incomplete batch and nothing to process. This is looked at
    /// only in a program that cannot be blocked in a print.
    pub moved_in_part_batch: i64,
    /// The same after Ctrl-C.
    pub committed_at_end: Vec<Option<i64>>,
    pub lines_at_end: Vec<String>,
    pub status: Option<ExitStatus>,
    pub last_lines: String,
}

pub const FIRST_RUN: Scenario<FirstRun> = Scenario {
    name: "first run",
    run: first_run,
};

fn first_run(lane: &Lane) -> Result<FirstRun> {
    let before = committed(lane)?;
    fill_up(lane, &before, FIRST_READ)?;
    let expected = ExpectedOutput::since(lane.kafka(), &before)?;
    let (commits_before, fetches_before) = (commits(lane)?, fetches(lane)?);
    lane.hold(RequestKind::OffsetCommit);
    let mut program = lane.start_to_stall("consumer")?;
    // One that commits for another group must not wait longer for its answer than its session lasts.
    program.until(WORK_LIMIT, || Ok(lane.is_holding() || owns_all(lane)?))?;
    let joined = owns_all(lane)?;
    let limit = patience_after(joined);
    program.wait_while_it_prints(limit, QUIET, |lines| {
        (lane.is_holding() || committed_lines(lines) > 0).then_some(())
    })?;
    // A program that does not wait for its commit reports it at once.
    let held = program.until(HELD, || Ok(lane.is_holding()))?;
    if held {
        wait::pass(HELD)?;
    }
    let reported_early = committed_lines(&program.lines()) > 0;
    let counted_by_then = summaries(&program.texts()).iter().map(total).sum();
    lane.release();
    wait_for_batches(&mut program, FIRST_READ / BATCH, limit)?;
    let blocks = program.let_go_of_output()?;
    let settled = settled(lane, &mut program)?;
    let first_commit = commit_after(lane, commits_before, &before)?;
    let commits = commits(lane)? - commits_before;
    let lines = program.texts();

    lane.publish(&random_events(FIRST_READ, PART_BATCH))?;
    let ends = lane.kafka().ends(CLICKSTREAM)?;
    let received_part = program.until(limit, || handed_out(lane, fetches_before, &ends))?;
    let fetched = fetches(lane)? > fetches_before;
    let mut moved_in_part_batch = 0;
    if received_part && !blocks {
        lane.note(format!("nothing comes for {} s", AUTO_COMMIT.as_secs()));
        program.until(AUTO_COMMIT, || {
            moved_in_part_batch = sum(&committed(lane)?) - sum(&settled);
            Ok(moved_in_part_batch != 0)
        })?;
    }
    let _ = program.interrupt();
    let status = program.end_within(STOP_LIMIT)?;
    if status.is_some() {
        lane.drain()?;
    }
    let read = FirstRun {
        joined,
        blocks,
        expected,
        before,
        fetched,
        received_part,
        held,
        reported_early,
        commits,
        first_commit,
        counted_by_then,
        committed: settled,
        lines,
        moved_in_part_batch,
        committed_at_end: committed(lane)?,
        lines_at_end: program.texts(),
        status,
        last_lines: program.last_lines(),
    };
    end_by_kill(lane, program)?;
    Ok(read)
}

/// A run that reads everything that was not committed before it.
pub struct LaterRun {
    pub expected: ExpectedOutput,
    pub before: Vec<Option<i64>>,
    pub after: Vec<Option<i64>>,
    pub lines: Vec<String>,
    pub last_lines: String,
}

/// Lets a program read at least this many events, in whole batches.
pub(super) fn read_on(lane: &Lane, least: u64) -> Result<(Program, LaterRun)> {
    let before = committed(lane)?;
    let unread = fill_up(lane, &before, least)?;
    let expected = ExpectedOutput::since(lane.kafka(), &before)?;
    let mut program = start_and_join(lane)?;
    wait_for_batches(&mut program, unread / BATCH, patience(lane)?)?;
    let run = LaterRun {
        expected,
        before,
        after: settled(lane, &mut program)?,
        lines: program.texts(),
        last_lines: program.last_lines(),
    };
    Ok((program, run))
}

impl LaterRun {
    /// Whether it committed, and counted exactly the events that it found.
    pub fn read_what_it_found(&self) -> bool {
        sum(&self.after) > sum(&self.before) && counts_right(&self.lines, &self.expected)
    }
}

/// Whether the summaries or the running totals count exactly these events. Other checks judge each of the two.
fn counts_right(lines: &[String], expected: &ExpectedOutput) -> bool {
    add(&summaries(lines)) == expected.counts || totals(lines).last() == Some(&expected.counts)
}

/// A run after the one that was stopped.
pub struct Resumed(pub LaterRun);

pub const RESUMED: Scenario<Resumed> = Scenario {
    name: "resumed",
    run: resumed,
};

fn resumed(lane: &Lane) -> Result<Resumed> {
    lane.evidence(FIRST_RUN)?;
    let (program, run) = read_on(lane, 2 * BATCH)?;
    end_by_kill(lane, program)?;
    Ok(Resumed(run))
}

/// Kills it and removes it from the group, so that the next run does not have to wait for its session to time out.
pub(super) fn end_by_kill(lane: &Lane, mut program: Program) -> Result<()> {
    program.kill_if_running()?;
    lane.remove_members(ANALYTICS_SERVICE)
}

/// Starts a program, and waits until it owns all partitions. How long that takes depends on the machine, not on the program.
fn start_and_join(lane: &Lane) -> Result<Program> {
    let mut program = lane.start("consumer")?;
    wait_until_joined(lane, &mut program, patience(lane)?)?;
    Ok(program)
}

fn wait_until_joined(lane: &Lane, program: &mut Program, limit: Duration) -> Result<bool> {
    program.until(limit, || owns_all(lane))
}

/// Whether the program owns all partitions, in the right group.
fn owns_all(lane: &Lane) -> Result<bool> {
    Ok(lane.assigned(ANALYTICS_SERVICE, CLICKSTREAM)? == 3)
}

/// How long a program may take until it joins, or prints something: not long, if it did not even join the group before.
fn patience(lane: &Lane) -> Result<Duration> {
    Ok(patience_after(lane.evidence(FIRST_RUN)?.joined))
}

fn patience_after(joined: bool) -> Duration {
    if joined { WORK_LIMIT } else { QUIET }
}

fn wait_for_batches(program: &mut Program, batches: u64, limit: Duration) -> Result<()> {
    let batches = usize::try_from(batches)?;
    program.wait_while_it_prints(limit, QUIET, |lines| {
        (committed_lines(lines) >= batches).then_some(())
    })?;
    Ok(())
}

/// Publishes events until those that are not committed are whole batches, and at least this many. Returns their number.
fn fill_up(lane: &Lane, committed: &[Option<i64>], least: u64) -> Result<u64> {
    let unread = unread(lane, committed)?;
    let wanted = unread.max(least).next_multiple_of(BATCH);
    if wanted > unread {
        let ends: i64 = lane.kafka().ends(CLICKSTREAM)?.iter().sum();
        lane.publish(&random_events(u64::try_from(ends)?, wanted - unread))?;
    }
    Ok(wanted)
}

/// How many events are not committed.
fn unread(lane: &Lane, committed: &[Option<i64>]) -> Result<u64> {
    let ends: i64 = lane.kafka().ends(CLICKSTREAM)?.iter().sum();
    Ok(u64::try_from(ends.saturating_sub(sum(committed))).unwrap_or_default())
}

pub(super) fn committed(lane: &Lane) -> Result<Vec<Option<i64>>> {
    lane.kafka().committed(ANALYTICS_SERVICE, CLICKSTREAM)
}

/// Whether the committed offsets are at the end of the topic.
pub(super) fn is_read(lane: &Lane) -> Result<bool> {
    let ends: i64 = lane.kafka().ends(CLICKSTREAM)?.iter().sum();
    Ok(sum(&committed(lane)?) >= ends)
}

/// What is committed once no more commits come. A program that does not wait for its commits has time to send the last one.
fn settled(lane: &Lane, program: &mut Program) -> Result<Vec<Option<i64>>> {
    program.until(LAST_COMMIT, || is_read(lane))?;
    last_seen(SETTLE_LIMIT, SETTLE, || committed(lane))
}

/// What is seen once it has not changed for `quiet`, or after `most`, however often it changes.
fn last_seen<T: Clone + PartialEq>(
    most: Duration,
    quiet: Duration,
    mut look: impl FnMut() -> Result<T>,
) -> Result<T> {
    let mut last = None;
    wait::while_it_changes(most, || {
        let now = look()?;
        last = Some(now.clone());
        Ok((now, quiet))
    })?;
    last.context("nobody looked")
}

fn committed_lines(lines: &[Line]) -> usize {
    lines
        .iter()
        .filter(|line| line.text.contains("Committed"))
        .count()
}

/// By how many events the commit moved the offsets that came after so many others; 0 if none came.
fn commit_after(lane: &Lane, others: usize, before: &[Option<i64>]) -> Result<i64> {
    let requests = lane.group_requests("OFFSET_COMMIT", ANALYTICS_SERVICE)?;
    let Some(commit) = requests.get(others) else {
        return Ok(0);
    };
    let moved = commit.committed().map(|committed| {
        let partition = usize::try_from(committed.partition).unwrap_or(usize::MAX);
        let old = before.get(partition).copied().flatten().unwrap_or(0);
        committed.offset.saturating_sub(old)
    });
    Ok(moved.fold(0, i64::saturating_add))
}

/// How many times the broker was asked to commit for the group.
fn commits(lane: &Lane) -> Result<usize> {
    Ok(lane
        .group_requests("OFFSET_COMMIT", ANALYTICS_SERVICE)?
        .len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_never_stops_committing_is_not_waited_for() -> Result<()> {
        let start = Instant::now();
        let mut commits = 0;
        let most = Duration::from_millis(200);
        let last = last_seen(most, Duration::from_secs(60), || {
            commits += 1;
            Ok(commits)
        })?;
        assert!(last > 1);
        assert!(start.elapsed() < Duration::from_secs(30));
        Ok(())
    }
}
