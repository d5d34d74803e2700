//! Task 3: one scenario in five scenes. A is alone and is stopped; A comes back and B joins; both read; A is killed; B is
//! stopped.

use std::collections::BTreeSet;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::Result;
use broker::wait;
use cluster::{TopicMember, is_past};
use common::{CLICKSTREAM, SCALE_GROUP};

use crate::bench::lane::{Lane, Scenario};
use crate::contract::STOP_LIMIT;
use crate::history::logged::Logged;
use crate::history::printed::{numbers_beside, position};
use crate::{Program, random_events};

/// How many events are published in each scene.
pub const EVENTS: usize = 60;

/// How many partitions each member owns, in ascending order: one member alone, and two that share.
pub const ONE_MEMBER: &[usize] = &[3];
pub const TWO_MEMBERS: &[usize] = &[1, 2];

/// How long a rebalance may take. Members hear of it with their heartbeat, every 3 s.
const REBALANCE_LIMIT: Duration = Duration::from_secs(20);

/// How long a member may take to print what Kafka already knows, or from one line to the next while it has events.
const PRINT_LIMIT: Duration = Duration::from_secs(5);

/// How long a member may take from one commit to the next while it has events: 5 s by the contract, and longer on a busy machine.
const COMMIT_LIMIT: Duration = Duration::from_secs(10);

/// The longest wait for all lines, or for all commits, of a member.
const MOST_TIME: Duration = Duration::from_secs(60);

/// How long we look for events that are read twice, after each was read once.
const TWICE_LIMIT: Duration = Duration::from_millis(500);

/// How long the broker may take to log a request.
const LOGGED: Duration = Duration::from_secs(1);

pub const SCALED: Scenario<Scaled> = Scenario {
    name: "scaled",
    run: scaled,
};

/// What was seen in all scenes.
pub struct Scaled {
    pub alone: Alone,
    pub joined: Joined,
    pub read: ReadByBoth,
    /// As the members asked for when they joined; for members by KIP-848, that of their group.
    pub session_timeouts: BTreeSet<Duration>,
    /// How many members owned partitions when A was killed; 0 if A had ended before.
    pub before_kill: usize,
    pub alone_again: AloneAgain,
    /// `None` if B had ended before Ctrl-C.
    pub b_stopped: Option<Stopped>,
}

/// How a member ended on Ctrl-C.
pub struct Stopped {
    /// `None` if it was still running after the contract's limit.
    pub status: Option<ExitStatus>,
    /// Whether the broker heard that it left its group.
    pub left: bool,
    pub last_lines: String,
}

/// Scene 1: A is alone, and is stopped with Ctrl-C.
pub struct Alone {
    /// How many partitions each member of the group owned.
    pub shares: Vec<usize>,
    pub stopped: Stopped,
    /// The committed offsets after that.
    pub committed: Vec<Option<i64>>,
}

/// Scene 2: A comes back, and B joins.
pub struct Joined {
    /// The committed offsets before B was started, and the ends of the partitions.
    pub committed: Vec<Option<i64>>,
    pub ends: Vec<i64>,
    /// How many partitions each member owned then, and which of them B owned.
    pub shares: Vec<usize>,
    pub owned_by_b: BTreeSet<i32>,
    pub b_is_started: Instant,
    /// What A printed until then, which of it since B was started, and what B printed.
    pub a: Vec<String>,
    pub a_since_b: Vec<String>,
    pub b: Vec<String>,
}

/// Scene 3: the positions that each printed of the events published while both were members.
pub struct ReadByBoth {
    pub by_a: Vec<(i32, i64)>,
    pub by_b: Vec<(i32, i64)>,
    /// How many events that A had read and committed before were printed again since B was started.
    pub again: usize,
}

/// Scene 4: A is killed, and B goes on alone.
pub struct AloneAgain {
    /// How many partitions each member but A owned once A was gone.
    pub shares: Vec<usize>,
    /// How many of the events published then B printed.
    pub read: usize,
    /// The committed offsets after that, and the ends of the partitions.
    pub committed: Vec<Option<i64>>,
    pub ends: Vec<i64>,
}

/// The two programs, and the member ids that A had before B joined.
struct Members {
    a: Program,
    b: Program,
    ids_of_a: Vec<String>,
}

impl Scaled {
    /// Whether A was a member of the group. What a program prints without being one counts for nothing.
    pub fn is_member(&self) -> bool {
        !self.alone.shares.is_empty()
    }
}

impl AloneAgain {
    /// Whether B owned all partitions.
    pub fn is_shown(&self) -> bool {
        self.shares == ONE_MEMBER
    }

    /// Whether B printed all events that were published then, or committed them.
    pub fn is_handled(&self) -> bool {
        self.read == EVENTS || self.is_committed()
    }

    /// Whether B committed what was published then.
    pub fn is_committed(&self) -> bool {
        is_past(&self.committed, &self.ends)
    }
}

impl Alone {
    /// How long later scenes wait for what A did not achieve alone: not long.
    fn patience(&self) -> Duration {
        if self.shares == ONE_MEMBER {
            REBALANCE_LIMIT
        } else {
            PRINT_LIMIT
        }
    }
}

fn scaled(lane: &Lane) -> Result<Scaled> {
    let alone = alone_and_stopped(lane)?;
    let patience = alone.patience();
    let (mut members, joined) = b_joins(lane, &alone)?;
    let read = both_read(lane, &mut members, &alone, &joined)?;
    let session_timeouts = session_timeouts(lane)?;
    let before_kill = if members.a.is_running()? {
        let members = self::members(lane)?.into_iter();
        members.filter(|one| !one.partitions.is_empty()).count()
    } else {
        0
    };
    let shares = a_is_killed(lane, &mut members, patience)?;
    let alone_again = b_goes_on(lane, &mut members.b, shares)?;
    let mut b = members.b;
    let b_stopped = if b.is_running()? {
        Some(stop(lane, &mut b)?)
    } else {
        None
    };
    Ok(Scaled {
        alone,
        joined,
        read,
        session_timeouts,
        before_kill,
        alone_again,
        b_stopped,
    })
}

fn alone_and_stopped(lane: &Lane) -> Result<Alone> {
    publish(lane)?;
    let mut a = lane.start("consumer_group_a")?;
    let shares = wait_for_shares(lane, &mut a, ONE_MEMBER, REBALANCE_LIMIT)?;
    wait_until_it_works(&mut a)?;
    let stopped = stop(lane, &mut a)?;
    drop(a);
    lane.remove_members(SCALE_GROUP)?;
    Ok(Alone {
        shares,
        stopped,
        committed: lane.kafka().committed(SCALE_GROUP, CLICKSTREAM)?,
    })
}

/// Presses Ctrl-C for the only member, and waits for its end.
fn stop(lane: &Lane, member: &mut Program) -> Result<Stopped> {
    let before = leaves(lane)?;
    let _ = member.interrupt();
    let status = member.end_within(STOP_LIMIT)?;
    let limit = if status.is_some() {
        lane.drain()?;
        LOGGED
    } else {
        Duration::ZERO
    };
    let left = lane.logged_within(limit, || Ok((leaves(lane)? > before).then_some(())))?;
    Ok(Stopped {
        status,
        left: left.is_some(),
        last_lines: member.last_lines(),
    })
}

fn b_joins(lane: &Lane, alone: &Alone) -> Result<(Members, Joined)> {
    publish(lane)?;
    let mut a = lane.start("consumer_group_a")?;
    wait_for_shares(lane, &mut a, ONE_MEMBER, alone.patience())?;
    wait_until_it_works(&mut a)?;
    let ids_of_a = members(lane)?.into_iter().map(|member| member.member_id);
    let ids_of_a: Vec<String> = ids_of_a.collect();
    wait_until_it_prints(&mut a, "assigned");
    // With a cooperative assignor (KIP-429) a member goes on working during a rebalance, and its commit may then be refused.
    // So A finishes first; only a program that works too long, or never commits, is still busy when B comes.
    let ends = lane.kafka().ends(CLICKSTREAM)?;
    let limit = if alone.shares == ONE_MEMBER {
        COMMIT_LIMIT
    } else {
        Duration::ZERO
    };
    let committed = wait_while_it_commits(lane, &mut a, &ends, limit)?;

    let b_is_started = Instant::now();
    let mut b = lane.start("consumer_group_b")?;
    let shares = wait_for_shares(lane, &mut b, TWO_MEMBERS, alone.patience())?;
    let members_now = members(lane)?.into_iter();
    let of_b = members_now.filter(|one| !ids_of_a.contains(&one.member_id));
    let owned_by_b = of_b.flat_map(|member| member.partitions).collect();
    wait_until_it_prints(&mut a, "revoked");
    wait_until_it_prints(&mut b, "assigned");
    wait::check_stop()?;
    let since_b = a.lines().into_iter().filter(|line| line.at >= b_is_started);
    let joined = Joined {
        committed,
        ends,
        shares,
        owned_by_b,
        b_is_started,
        a: a.texts(),
        a_since_b: since_b.map(|line| line.text).collect(),
        b: b.texts(),
    };
    Ok((Members { a, b, ids_of_a }, joined))
}

fn both_read(
    lane: &Lane,
    members: &mut Members,
    alone: &Alone,
    joined: &Joined,
) -> Result<ReadByBoth> {
    let Members { a, b, .. } = members;
    let mut publish_to_both = |limit| {
        let ends = lane.kafka().ends(CLICKSTREAM)?;
        publish(lane)?;
        wait::up_to(limit, || {
            let count = new_positions(a, &ends).len() + new_positions(b, &ends).len();
            let is_over = count >= EVENTS || !(a.is_running()? || b.is_running()?);
            Ok(is_over.then_some(()))
        })?;
        anyhow::Ok(ends)
    };
    // A fetch that was under way while the group rebalanced may bring A events of a partition that is now B's, but only once.
    publish_to_both(PRINT_LIMIT)?;
    let ends = publish_to_both(alone.patience())?;
    // If both read everything, the other one may not be done yet.
    wait::pass(TWICE_LIMIT)?;
    // What was not committed comes again after a rebalance.
    let again = if is_past(&joined.committed, &joined.ends) {
        let old = |program: &Program| {
            let mut positions = positions(program);
            positions.retain(|(_, at)| is_before(*at, &joined.ends));
            positions
        };
        printed_again(&old(a), joined.b_is_started, &alone.committed) + old(b).len()
    } else {
        0
    };
    Ok(ReadByBoth {
        by_a: new_positions(a, &ends),
        by_b: new_positions(b, &ends),
        again,
    })
}

/// Kills A, and returns how many partitions each of the others owns then. Nobody waits for A's session to time out: how long the
/// group would wait is in what the members asked for.
fn a_is_killed(lane: &Lane, members: &mut Members, patience: Duration) -> Result<Vec<usize>> {
    let Members { a, b, ids_of_a } = members;
    a.kill_if_running()?;
    let is_other = |member: &TopicMember| !ids_of_a.contains(&member.member_id);
    lane.note("the group removes A, as after its session timeout");
    for id in ids_of_a.iter() {
        lane.kafka().remove_member(SCALE_GROUP, id)?;
    }
    let mut after = Vec::new();
    b.until(patience, || {
        let others = self::members(lane)?.into_iter().filter(is_other);
        after = others.map(|member| member.partitions.len()).collect();
        Ok(after == ONE_MEMBER)
    })?;
    Ok(after)
}

/// Gives B events of all partitions, if it owns all of them.
fn b_goes_on(lane: &Lane, b: &mut Program, shares: Vec<usize>) -> Result<AloneAgain> {
    let before = lane.kafka().ends(CLICKSTREAM)?;
    let mut alone = AloneAgain {
        shares,
        read: 0,
        committed: Vec::new(),
        ends: before.clone(),
    };
    if alone.is_shown() {
        publish(lane)?;
        alone.ends = lane.kafka().ends(CLICKSTREAM)?;
        wait::while_it_changes(MOST_TIME, || {
            alone.read = new_positions(b, &before).len();
            let is_over = alone.read >= EVENTS || !b.is_running()?;
            Ok((
                alone.read,
                if is_over { Duration::ZERO } else { PRINT_LIMIT },
            ))
        })?;
        alone.committed = wait_while_it_commits(lane, b, &alone.ends, COMMIT_LIMIT)?;
    }
    Ok(alone)
}

/// Waits until the committed offsets are past these ends; or until the program has ended, or has committed nothing new for this
/// long. Returns the committed offsets.
fn wait_while_it_commits(
    lane: &Lane,
    program: &mut Program,
    ends: &[i64],
    limit: Duration,
) -> Result<Vec<Option<i64>>> {
    let mut committed = Vec::new();
    wait::while_it_changes(MOST_TIME, || {
        let has_ended = !program.is_running()?;
        committed = lane.kafka().committed(SCALE_GROUP, CLICKSTREAM)?;
        let is_over = has_ended || is_past(&committed, ends);
        Ok((
            committed.clone(),
            if is_over { Duration::ZERO } else { limit },
        ))
    })?;
    Ok(committed)
}

fn publish(lane: &Lane) -> Result<()> {
    let published: i64 = lane.kafka().ends(CLICKSTREAM)?.iter().sum();
    lane.publish(&random_events(published.try_into()?, EVENTS as u64))
}

/// Waits until a member handles what was published. Only then does Ctrl-C, or a rebalance, find it at work; one that works
/// too long does not hear of it.
fn wait_until_it_works(member: &mut Program) -> Result<()> {
    member.wait_while_it_prints(PRINT_LIMIT, PRINT_LIMIT, |lines| {
        let mut lines = lines.iter();
        lines.find_map(|line| position(&line.text)).map(drop)
    })?;
    Ok(())
}

/// Waits until a member prints a line with this word and a number, if it does. Lines without a number do not count: with the
/// newer group protocol, a member is first assigned no partition, and others only once they are free.
fn wait_until_it_prints(member: &mut Program, word: &str) {
    let _ = member.wait_for(word, PRINT_LIMIT, |lines| {
        let mut numbers = lines
            .iter()
            .filter_map(|line| numbers_beside(&line.text, word));
        numbers.find(|numbers| !numbers.is_empty()).map(drop)
    });
}

/// Waits until the members own this many partitions each; less long if the program ends on which that depends. Returns how
/// many they own then.
fn wait_for_shares(
    lane: &Lane,
    program: &mut Program,
    expected: &[usize],
    limit: Duration,
) -> Result<Vec<usize>> {
    let mut shares = Vec::new();
    program.until(limit, || {
        let members = members(lane)?;
        shares = members
            .iter()
            .map(|member| member.partitions.len())
            .collect();
        shares.sort_unstable();
        Ok(shares == expected)
    })?;
    Ok(shares)
}

fn members(lane: &Lane) -> Result<Vec<TopicMember>> {
    lane.kafka().members(SCALE_GROUP, CLICKSTREAM)
}

/// How many times the broker was told that a member leaves its group, whichever that is.
fn leaves(lane: &Lane) -> Result<usize> {
    let heartbeats = lane.requests_of_programs("CONSUMER_GROUP_HEARTBEAT")?;
    let by_heartbeat = heartbeats.iter().filter(|one| one.leaves_by_heartbeat());
    Ok(lane.requests_of_programs("LEAVE_GROUP")?.len() + by_heartbeat.count())
}

fn session_timeouts(lane: &Lane) -> Result<BTreeSet<Duration>> {
    let joins = lane.group_requests("JOIN_GROUP", SCALE_GROUP)?;
    let mut timeouts: BTreeSet<_> = joins.iter().filter_map(Logged::session_timeout).collect();
    let heartbeats = lane.group_requests("CONSUMER_GROUP_HEARTBEAT", SCALE_GROUP)?;
    if heartbeats.iter().any(Logged::joins_by_heartbeat) {
        timeouts.insert(lane.kafka().session_timeout(SCALE_GROUP)?);
    }
    Ok(timeouts)
}

/// The positions that a program printed, and when each of them was read.
fn positions(program: &Program) -> Vec<(Instant, (i32, i64))> {
    let lines = program.lines().into_iter();
    let positions = lines.filter_map(|line| Some((line.at, position(&line.text)?)));
    positions.collect()
}

/// The positions that a program printed, from these ends on.
fn new_positions(program: &Program, ends: &[i64]) -> Vec<(i32, i64)> {
    let positions = positions(program).into_iter().map(|(_, at)| at);
    positions.filter(|at| !is_before(*at, ends)).collect()
}

/// How many of these positions were printed again after `start`: those that were printed before, and those that an earlier run
/// had `committed`. The time of a line alone says nothing, because on a busy machine we read a line some time after it was printed.
fn printed_again(
    positions: &[(Instant, (i32, i64))],
    start: Instant,
    committed: &[Option<i64>],
) -> usize {
    let committed: Vec<i64> = committed.iter().map(|at| at.unwrap_or(0)).collect();
    let mut printed = BTreeSet::new();
    let again = positions.iter().filter(|(read_at, at)| {
        let is_first = printed.insert(*at);
        *read_at >= start && (!is_first || is_before(*at, &committed))
    });
    again.count()
}

/// Whether a position is before these ends. One in a partition that does not exist is.
fn is_before((partition, offset): (i32, i64), ends: &[i64]) -> bool {
    let end = usize::try_from(partition).ok().and_then(|at| ends.get(at));
    end.is_none_or(|end| offset < *end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_read_late_is_not_printed_again() {
        let before = Instant::now();
        let start = before + Duration::from_millis(10);
        let since = start + Duration::from_millis(18);
        let committed = [Some(4), None];
        let printed = [(before, (0, 4)), (since, (0, 5)), (since, (1, 0))];
        assert_eq!(printed_again(&printed, start, &committed), 0);
        let printed = [(before, (0, 4)), (since, (0, 4)), (since, (0, 3))];
        assert_eq!(printed_again(&printed, start, &committed), 2);
        let printed = [(before, (0, 4)), (before, (0, 4))];
        assert_eq!(printed_again(&printed, start, &committed), 0);
    }
}
