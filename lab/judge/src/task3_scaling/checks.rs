//! Task 3: the checks of the two members of a group.

use std::collections::BTreeSet;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::Result;
use broker::wait;
use common::{CLICKSTREAM, SCALE_GROUP};

use crate::bench::gate::Request;
use crate::bench::lane::Lane;
use crate::history::printed::{numbers_beside, position};
use crate::verdict::check::{Check, Verdict, stopped_on_ctrl_c, verdict};
use crate::{Program, random_events};
use cluster::is_past;

/// How many events are published each time.
const EVENTS: usize = 60;

/// How long a rebalance may take to be seen: members hear of it with their heartbeat, every 3 s.
const LIMIT: Duration = Duration::from_secs(20);

/// How long a member may take to print what Kafka already knows.
const SAY_LIMIT: Duration = Duration::from_secs(5);

/// By the contract.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// By the contract, in milliseconds.
const SESSION_TIMEOUT: i64 = 10_000;

/// The session timeout passes within 7 to 10 s of a kill, and more on a busy machine. This does not decide a verdict.
const TAKEOVER_LIMIT: Duration = Duration::from_secs(30);

/// So long after the kill a heartbeat may be held back: who sent the last one before is taken for alive until after A's
/// session has timed out.
const NEARLY_OVER: Duration = Duration::from_secs(5);

pub const CHECKS: &[Check] = &[
    Check {
        id: "scaling.alone_owns_all",
        task: 3,
        points: 2,
        title: "A alone owns all three partitions",
        judge: alone_owns_all,
    },
    Check {
        id: "scaling.prints_assigned",
        task: 3,
        points: 2,
        title: "prints the partitions it is assigned",
        judge: prints_assigned,
    },
    Check {
        id: "scaling.shares_2_and_1",
        task: 3,
        points: 3,
        title: "A and B share the partitions 2 + 1",
        judge: shares_2_and_1,
    },
    Check {
        id: "scaling.prints_revoked",
        task: 3,
        points: 2,
        title: "prints the partitions it loses",
        judge: prints_revoked,
    },
    Check {
        id: "scaling.each_event_once",
        task: 3,
        points: 3,
        title: "each event is read by one of the two, and by one only",
        judge: each_event_once,
    },
    Check {
        id: "scaling.stops_on_ctrl_c",
        task: 3,
        points: 1,
        title: "ends within 5 s of Ctrl-C",
        judge: stops_on_ctrl_c,
    },
    Check {
        id: "scaling.leaves_on_ctrl_c",
        task: 3,
        points: 2,
        title: "leaves the group on Ctrl-C, so that others take over at once",
        judge: leaves_on_ctrl_c,
    },
    Check {
        id: "scaling.takes_over_after_kill",
        task: 3,
        points: 2,
        title: "B takes over what a killed A owned",
        judge: takes_over_after_kill,
    },
    Check {
        id: "scaling.session_timeout_10_s",
        task: 3,
        points: 3,
        title: "asks for a session timeout of 10 s",
        judge: session_timeout_10_s,
    },
];

/// What happened to the group: A alone, A is stopped, A comes back, B joins, A is killed.
#[derive(Default)]
struct Scaled {
    /// How many partitions each member of the group owned.
    alone: Vec<usize>,
    shared: Vec<usize>,
    /// What A printed until B had joined, what of it since B was started, and what B did.
    a: Vec<String>,
    a_since_b: Vec<String>,
    b: Vec<String>,
    /// Positions that each printed of the events published while both were members.
    read_by_a: Vec<(i32, i64)>,
    read_by_b: Vec<(i32, i64)>,
    stopped: Option<ExitStatus>,
    /// Did the broker hear that A left?
    left: bool,
    after_kill: Vec<usize>,
    /// As the members told the group when they joined.
    session_timeouts: BTreeSet<i64>,
    last_lines: String,
}

impl Scaled {
    /// Was A a member of the group at all? What one prints who is none counts for nothing.
    fn worked(&self) -> bool {
        !self.alone.is_empty()
    }
}

fn scaled(lane: &Lane) -> Result<Scaled> {
    let mut seen = Scaled::default();
    let mut published = 0;
    let mut publish = || {
        lane.publish(&random_events(published, EVENTS as u64))?;
        published += EVENTS as u64;
        anyhow::Ok(())
    };
    publish()?;
    let mut a = lane.start("consumer_group_a")?;
    seen.alone = wait_for_shares(lane, &mut a, &[3], LIMIT)?;
    wait_until_it_works(&mut a)?;
    let _ = a.interrupt();
    seen.stopped = a.end_within(STOP_LIMIT)?;
    // The broker logs what it has answered, so a little late.
    let is_gone = seen.stopped.is_some() && member_ids(lane)?.is_empty();
    let limit = if is_gone { SAY_LIMIT } else { Duration::ZERO };
    wait::up_to(limit, || {
        seen.left = left(lane)? > 0;
        Ok(seen.left.then_some(()))
    })?;
    seen.last_lines = a.last_lines();
    drop(a);
    lane.remove_members(SCALE_GROUP)?;
    let patience = if seen.alone == [3] { LIMIT } else { SAY_LIMIT };

    publish()?;
    let mut a = lane.start("consumer_group_a")?;
    wait_for_shares(lane, &mut a, &[3], patience)?;
    wait_until_it_works(&mut a)?;
    let dead = member_ids(lane)?;
    wait_until_it_says(&mut a, "assigned");

    // With a cooperative assignor (KIP-429) a member works on during a rebalance, and a commit of then may be refused. Only
    // one that works too long is still at it when B comes.
    if seen.alone == [3] {
        let ends = lane.kafka().ends(CLICKSTREAM)?;
        let committed = || lane.kafka().committed(SCALE_GROUP, CLICKSTREAM);
        a.until(SAY_LIMIT, || Ok(is_past(&committed()?, &ends)))?;
    }

    let b_is_started = Instant::now();
    let mut b = lane.start("consumer_group_b")?;
    seen.shared = wait_for_shares(lane, &mut b, &[1, 2], patience)?;
    wait_until_it_says(&mut a, "revoked");
    wait_until_it_says(&mut b, "assigned");
    wait::check_interrupt()?;
    (seen.a, seen.b) = (a.texts(), b.texts());
    let since_b = a.lines().into_iter().filter(|line| line.at >= b_is_started);
    seen.a_since_b = since_b.map(|line| line.text).collect();

    let ends = lane.kafka().ends(CLICKSTREAM)?;
    publish()?;
    let end = Instant::now() + patience;
    while new_positions(&a, &ends).len() + new_positions(&b, &ends).len() < EVENTS
        && Instant::now() < end
        && (a.is_running()? || b.is_running()?)
    {
        wait::pass(Duration::from_millis(50))?;
    }
    // Where both read everything, the other one may still be at it.
    wait::pass(Duration::from_millis(500))?;
    seen.read_by_a = new_positions(&a, &ends);
    seen.read_by_b = new_positions(&b, &ends);

    seen.session_timeouts = session_timeouts(lane)?;
    if a.is_running()? {
        a.kill()?;
    }
    let is_gone = |member: &String| !dead.contains(member);
    if seen.session_timeouts.is_empty()
        || seen
            .session_timeouts
            .iter()
            .any(|timeout| *timeout > SESSION_TIMEOUT)
    {
        // It would only cost time: how long the group waits is in what the members asked for. Those of the new protocol
        // (KIP-848) ask for nothing.
        for member in &dead {
            lane.kafka().remove_member(SCALE_GROUP, member)?;
        }
    } else if b.is_running()? {
        // B hears that A is gone with its next heartbeat, which may have been sent just before. So it is kept back.
        wait::pass(NEARLY_OVER)?;
        lane.hold(Request::Heartbeat);
        wait::up_to(TAKEOVER_LIMIT, || {
            Ok(member_ids(lane)?.iter().all(is_gone).then_some(()))
        })?;
        lane.release();
    }
    b.until(patience, || {
        seen.after_kill = lane
            .kafka()
            .members(SCALE_GROUP, CLICKSTREAM)?
            .iter()
            .filter(|member| is_gone(&member.member_id))
            .map(|member| member.partitions.len())
            .collect();
        Ok(seen.after_kill == [3])
    })?;
    Ok(seen)
}

/// Waits until a member handles what was published: what comes then, Ctrl-C or a rebalance, finds it at work, where one
/// that works too long does not hear of it.
fn wait_until_it_works(member: &mut Program) -> Result<()> {
    member.wait_while_it_prints(SAY_LIMIT, SAY_LIMIT, |lines| {
        lines
            .iter()
            .any(|line| position(&line.text).is_some())
            .then_some(())
    })?;
    Ok(())
}

/// Waits until a member prints a line with this word, if it does.
fn wait_until_it_says(member: &mut Program, word: &str) {
    let _ = member.wait_for(word, SAY_LIMIT, |lines| {
        lines
            .iter()
            .any(|line| numbers_beside(&line.text, word).is_some())
            .then_some(())
    });
}

/// Waits until the members own this many partitions each, or the program ends on which that depends; returns how many
/// they own in the end.
fn wait_for_shares(
    lane: &Lane,
    program: &mut Program,
    expected: &[usize],
    limit: Duration,
) -> Result<Vec<usize>> {
    let end = Instant::now() + limit;
    loop {
        let members = lane.kafka().members(SCALE_GROUP, CLICKSTREAM)?;
        let mut shares: Vec<usize> = members
            .iter()
            .map(|member| member.partitions.len())
            .collect();
        shares.sort_unstable();
        if shares == expected || Instant::now() >= end || !program.is_running()? {
            return Ok(shares);
        }
        wait::pass(Duration::from_millis(50))?;
    }
}

fn member_ids(lane: &Lane) -> Result<Vec<String>> {
    let members = lane.kafka().members(SCALE_GROUP, CLICKSTREAM)?;
    Ok(members.into_iter().map(|member| member.member_id).collect())
}

/// How often the broker was told that a member leaves the group.
fn left(lane: &Lane) -> Result<usize> {
    Ok(lane.group_requests("LEAVE_GROUP", SCALE_GROUP)?.len())
}

fn session_timeouts(lane: &Lane) -> Result<BTreeSet<i64>> {
    let joins = lane.group_requests("JOIN_GROUP", SCALE_GROUP)?;
    Ok(joins
        .iter()
        .filter_map(|request| request["request"]["sessionTimeoutMs"].as_i64())
        .collect())
}

/// The positions that a program printed, from these ends on.
fn new_positions(program: &Program, ends: &[i64]) -> Vec<(i32, i64)> {
    let positions = program
        .lines()
        .into_iter()
        .filter_map(|line| position(&line.text));
    positions
        .filter(|(partition, offset)| {
            usize::try_from(*partition).is_ok_and(|p| ends.get(p).is_some_and(|end| offset >= end))
        })
        .collect()
}

fn shares(shares: &[usize]) -> String {
    match shares {
        [] => format!("{SCALE_GROUP} has no members"),
        _ => format!("the members of {SCALE_GROUP} own {shares:?} partitions"),
    }
}

fn alone_owns_all(lane: &Lane) -> Result<Verdict> {
    let seen = lane.evidence(scaled)?;
    Ok(verdict(
        seen.alone == [3],
        format!("one member of {SCALE_GROUP} that owns 3 partitions"),
        shares(&seen.alone),
        "Does A subscribe, and under which group's name?",
    ))
}

fn prints_assigned(lane: &Lane) -> Result<Verdict> {
    let seen = lane.evidence(scaled)?;
    let (a, b) = (beside(&seen.a, "assigned"), beside(&seen.b, "assigned"));
    let all = BTreeSet::from([0, 1, 2]);
    Ok(verdict(
        seen.worked() && a.iter().any(|numbers| numbers.is_superset(&all)) && has_partition(&b),
        "a line with `assigned` and the partition numbers, from A and from B",
        format!("A: {}; B: {}", told(&a), told(&b)),
        "The client calls you back with each rebalance. What does it hand you?",
    ))
}

/// The numbers in each line with this word.
fn beside(lines: &[String], word: &str) -> Vec<BTreeSet<i32>> {
    let lines = lines.iter();
    lines
        .filter_map(|line| numbers_beside(line, word))
        .collect()
}

fn has_partition(lines: &[BTreeSet<i32>]) -> bool {
    lines.iter().flatten().any(|number| (0..3).contains(number))
}

fn told(lines: &[BTreeSet<i32>]) -> String {
    match lines {
        [] => "no such line".to_string(),
        lines => lines
            .iter()
            .map(|numbers| format!("{numbers:?}"))
            .collect::<Vec<_>>()
            .join(", then "),
    }
}

fn shares_2_and_1(lane: &Lane) -> Result<Verdict> {
    let seen = lane.evidence(scaled)?;
    Ok(verdict(
        seen.shared == [1, 2],
        format!("two members of {SCALE_GROUP}, one with 2 partitions and one with 1"),
        shares(&seen.shared),
        "Only members of the same group share. Do both say the same name?",
    ))
}

fn prints_revoked(lane: &Lane) -> Result<Verdict> {
    let seen = lane.evidence(scaled)?;
    let revoked = beside(&seen.a_since_b, "revoked");
    Ok(verdict(
        seen.worked() && has_partition(&revoked),
        "when B joins, a line from A with `revoked` and partition numbers",
        format!("A: {}", told(&revoked)),
        "A rebalance takes before it gives.",
    ))
}

fn each_event_once(lane: &Lane) -> Result<Verdict> {
    let seen = lane.evidence(scaled)?;
    let all: Vec<_> = seen.read_by_a.iter().chain(&seen.read_by_b).collect();
    let different: BTreeSet<_> = all.iter().collect();
    Ok(verdict(
        all.len() == EVENTS && different.len() == EVENTS,
        format!(
            "{EVENTS} events published while both were running, each with one line `partition=P offset=O`"
        ),
        format!(
            "A printed {}, B {}; {} different ones",
            seen.read_by_a.len(),
            seen.read_by_b.len(),
            different.len()
        ),
        "If both read everything, they do not share. If some are missing, does each message get its line?",
    ))
}

fn stops_on_ctrl_c(lane: &Lane) -> Result<Verdict> {
    let seen = lane.evidence(scaled)?;
    Ok(if seen.worked() {
        stopped_on_ctrl_c(seen.stopped, &seen.last_lines)
    } else {
        verdict(
            false,
            "a member of the group that ends on Ctrl-C",
            shares(&seen.alone),
            "Does it subscribe, and poll?",
        )
    })
}

fn leaves_on_ctrl_c(lane: &Lane) -> Result<Verdict> {
    let seen = lane.evidence(scaled)?;
    Ok(verdict(
        seen.left,
        "on Ctrl-C A tells the group that it leaves (LeaveGroup), so that nobody has to wait for its session to time out",
        if seen.left {
            "the broker heard so"
        } else {
            "the broker heard no word of it"
        },
        "A consumer says goodbye when it is closed. Is it?",
    ))
}

fn takes_over_after_kill(lane: &Lane) -> Result<Verdict> {
    let seen = lane.evidence(scaled)?;
    Ok(verdict(
        seen.after_kill == [3],
        "after kill -9 of A, B owns all three partitions once A's session has timed out",
        shares(&seen.after_kill),
        "Is B still there, and still a member?",
    ))
}

fn session_timeout_10_s(lane: &Lane) -> Result<Verdict> {
    let seen = lane.evidence(scaled)?;
    let told: Vec<String> = seen
        .session_timeouts
        .iter()
        .map(|ms| format!("{} s", ms / 1000))
        .collect();
    Ok(verdict(
        !told.is_empty()
            && seen
                .session_timeouts
                .iter()
                .all(|timeout| *timeout == SESSION_TIMEOUT),
        "members that ask for a session timeout of 10 s when they join",
        if told.is_empty() {
            "no member joined".to_string()
        } else {
            format!("they ask for {}", told.join(" and "))
        },
        "How long may a member be silent? There is a setting, and its default is long.",
    ))
}
