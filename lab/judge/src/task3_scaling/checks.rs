//! Task 3: the checks of the two members of a group.
//!
//! They detect members of two groups or of none; rebalances that a program does not report; events that both members read, or
//! neither; a member that never commits, does not end, or does not say that it leaves; and a session timeout other than 10 s,
//! by which a dead member keeps its partitions too long.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use cluster::{is_past, offsets};
use common::SCALE_GROUP;

use crate::bench::lane::Lane;
use crate::contract::SESSION_TIMEOUT;
use crate::history::printed::numbers_beside;
use crate::task3_scaling::runs::{EVENTS, Joined, ONE_MEMBER, SCALED, TWO_MEMBERS};
use crate::verdict::check::{Check, Verdict, stopped_on_ctrl_c, verdict};

pub const CHECKS: &[Check] = &[
    Check {
        id: "scaling.alone_owns_all",
        clauses: &["G1"],
        task: 3,
        points: 2,
        title: "A alone owns all three partitions",
        parts: &[alone_owns_all],
    },
    Check {
        id: "scaling.prints_assigned",
        clauses: &["G3"],
        task: 3,
        points: 2,
        title: "prints the partitions that it is assigned",
        parts: &[prints_assigned],
    },
    Check {
        id: "scaling.shares_2_and_1",
        clauses: &["G1"],
        task: 3,
        points: 2,
        title: "A and B share the partitions, 2 and 1",
        parts: &[shares_2_and_1],
    },
    Check {
        id: "scaling.prints_revoked",
        clauses: &["G4"],
        task: 3,
        points: 2,
        title: "prints the partitions that it loses",
        parts: &[prints_revoked],
    },
    Check {
        id: "scaling.each_event_once",
        clauses: &["G5"],
        task: 3,
        points: 3,
        title: "each event is read by exactly one of the two",
        parts: &[each_event_once],
    },
    Check {
        id: "scaling.commits",
        clauses: &["G6", "E6", "E10"],
        task: 3,
        points: 1,
        title: "commits what it has processed",
        parts: &[commits],
    },
    Check {
        id: "scaling.stops_on_ctrl_c",
        clauses: &["E7"],
        task: 3,
        points: 1,
        title: "ends within 5 s of Ctrl-C",
        parts: &[stops_on_ctrl_c],
    },
    Check {
        id: "scaling.leaves_on_ctrl_c",
        clauses: &["E8"],
        task: 3,
        points: 2,
        title: "leaves the group on Ctrl-C, so that others can take over at once",
        parts: &[leaves_on_ctrl_c],
    },
    Check {
        id: "scaling.takes_over_after_kill",
        clauses: &["G1"],
        task: 3,
        points: 2,
        title: "B takes over the partitions of a killed A",
        parts: &[takes_over_after_kill],
    },
    Check {
        id: "scaling.session_timeout_10_s",
        clauses: &["G2"],
        task: 3,
        points: 3,
        title: "asks for a session timeout of 10 s",
        parts: &[session_timeout_10_s],
    },
];

fn alone_owns_all(lane: &Lane) -> Result<Verdict> {
    let seen = lane.evidence(SCALED)?;
    Ok(verdict(
        seen.alone.shares == ONE_MEMBER,
        format!("one member of {SCALE_GROUP}, which owns 3 partitions"),
        shares(&seen.alone.shares),
        "Does A subscribe, and under which group id?",
    ))
}

fn prints_assigned(lane: &Lane) -> Result<Verdict> {
    let seen = lane.evidence(SCALED)?;
    let a = numbers_in_lines(&seen.joined.a, "assigned");
    let b = numbers_in_lines(&seen.joined.b, "assigned");
    let all = BTreeSet::from([0, 1, 2]);
    let owned = &seen.joined.owned_by_b;
    // A line may contain other numbers. If B is in no group with A, another check says so.
    let names_its_own = |numbers: &BTreeSet<i32>| {
        let named: BTreeSet<i32> = numbers.intersection(&all).copied().collect();
        !named.is_empty() && (owned.is_empty() || named == *owned)
    };
    let a_named_all = a.iter().any(|numbers| numbers.is_superset(&all));
    Ok(verdict(
        seen.is_member() && a_named_all && b.iter().any(names_its_own),
        "A and B each print a line with `assigned` and the numbers of the partitions that they get",
        format!(
            "A: {}; B, which owned {owned:?}: {}",
            listed(&a),
            listed(&b)
        ),
        "The client calls you back at each rebalance. What does it pass to you?",
    ))
}

/// The numbers in each line with this word.
fn numbers_in_lines(lines: &[String], word: &str) -> Vec<BTreeSet<i32>> {
    let lines = lines.iter();
    lines
        .filter_map(|line| numbers_beside(line, word))
        .collect()
}

fn names_a_partition(lines: &[BTreeSet<i32>]) -> bool {
    lines.iter().flatten().any(|number| (0..3).contains(number))
}

fn listed(lines: &[BTreeSet<i32>]) -> String {
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
    let seen = lane.evidence(SCALED)?;
    Ok(verdict(
        seen.joined.shares == TWO_MEMBERS,
        format!("two members of {SCALE_GROUP}: one owns 2 partitions, the other owns 1"),
        shares(&seen.joined.shares),
        "Only members of the same group share partitions. Do both programs use the same group id?",
    ))
}

fn prints_revoked(lane: &Lane) -> Result<Verdict> {
    let seen = lane.evidence(SCALED)?;
    let revoked = numbers_in_lines(&seen.joined.a_since_b, "revoked");
    let owned = &seen.joined.owned_by_b;
    Ok(verdict(
        seen.is_member()
            && names_a_partition(&revoked)
            && owned
                .iter()
                .all(|lost| revoked.iter().flatten().any(|one| one == lost)),
        "when B joins, A prints a line with `revoked` and the numbers of the partitions that it loses",
        format!("A, which lost {owned:?} to B: {}", listed(&revoked)),
        "A rebalance takes partitions away before it assigns them again. Which callback comes first?",
    ))
}

fn each_event_once(lane: &Lane) -> Result<Verdict> {
    let seen = lane.evidence(SCALED)?;
    let (by_a, by_b) = (&seen.read.by_a, &seen.read.by_b);
    let all: Vec<_> = by_a.iter().chain(by_b).collect();
    let different: BTreeSet<_> = all.iter().collect();
    Ok(verdict(
        seen.joined.shares.len() == TWO_MEMBERS.len()
            && all.len() == EVENTS
            && different.len() == EVENTS
            && seen.read.again == 0,
        format!(
            "{EVENTS} events are published while both run, and each gets one line `partition=P offset=O`"
        ),
        format!(
            "A printed {} such lines and B printed {}, for {} different events; events from before B came that were printed \
             again: {}",
            by_a.len(),
            by_b.len(),
            different.len(),
            seen.read.again
        ),
        "If both read everything, they do not share. If events are missing, does each message get its line?",
    ))
}

fn commits(lane: &Lane) -> Result<Verdict> {
    let seen = lane.evidence(SCALED)?;
    let Joined {
        committed, ends, ..
    } = &seen.joined;
    let again = &seen.alone_again;
    Ok(verdict(
        // Whether B reads everything when it is alone is judged by another check.
        seen.is_member()
            && is_past(committed, ends)
            && (again.read != EVENTS || again.is_committed()),
        format!(
            "A reads all events that were there before it started, and commits them: the ends are {ends:?}. So does B when it is \
             alone: {:?}",
            again.ends
        ),
        format!(
            "committed offsets: {}; when B was alone: {}",
            offsets(committed),
            offsets(&again.committed)
        ),
        "Where would the other member start if this one died now?",
    ))
}

fn stops_on_ctrl_c(lane: &Lane) -> Result<Verdict> {
    let seen = lane.evidence(SCALED)?;
    if !seen.is_member() {
        return Ok(verdict(
            false,
            "a member of the group that ends on Ctrl-C",
            shares(&seen.alone.shares),
            "Does it subscribe and poll?",
        ));
    }
    let of_a = stopped_on_ctrl_c(seen.alone.stopped.status, &seen.alone.stopped.last_lines);
    let Some(b) = &seen.b_stopped else {
        return Ok(verdict(
            false,
            "A and B end on Ctrl-C",
            "B had ended before anybody pressed Ctrl-C",
            "What ends B? Its last words are on standard error.",
        ));
    };
    Ok(match of_a {
        Verdict::Passed { .. } => stopped_on_ctrl_c(b.status, &b.last_lines),
        other => other,
    })
}

fn leaves_on_ctrl_c(lane: &Lane) -> Result<Verdict> {
    let seen = lane.evidence(SCALED)?;
    let a_left = seen.alone.stopped.left;
    let b_left = seen.b_stopped.as_ref().is_some_and(|b| b.left);
    let heard = |left: bool| if left { "goodbye" } else { "nothing" };
    Ok(verdict(
        a_left && b_left,
        "on Ctrl-C, A and B each tell the group that they leave it (LeaveGroup, or a heartbeat with the epoch -1), so that it does \
         not have to wait for a session to time out",
        format!(
            "the group heard {} from A and {} from B",
            heard(a_left),
            heard(b_left)
        ),
        "A consumer says goodbye when it is closed. Is it closed?",
    ))
}

fn takes_over_after_kill(lane: &Lane) -> Result<Verdict> {
    let seen = lane.evidence(SCALED)?;
    let again = &seen.alone_again;
    Ok(verdict(
        seen.before_kill == TWO_MEMBERS.len() && again.is_shown() && again.is_handled(),
        format!(
            "after kill -9 for A, B owns all three partitions as soon as A's session has timed out, and reads \
             {EVENTS} new events: it prints or commits them"
        ),
        if seen.before_kill == TWO_MEMBERS.len() {
            format!(
                "{}; new events that B printed: {}",
                shares(&again.shares),
                again.read
            )
        } else {
            "A and B did not share the partitions, so there was nothing to take over".to_string()
        },
        "Is B still running, and is it still a member?",
    ))
}

fn session_timeout_10_s(lane: &Lane) -> Result<Verdict> {
    let seen = lane.evidence(SCALED)?;
    let asked = &seen.session_timeouts;
    let all_right = asked.iter().all(|timeout| *timeout == SESSION_TIMEOUT);
    let asked: Vec<String> = asked.iter().map(Duration::as_secs).map(seconds).collect();
    Ok(verdict(
        all_right && !asked.is_empty(),
        format!(
            "members ask for a session timeout of {} when they join; with the protocol of KIP-848, it is that of their group",
            seconds(SESSION_TIMEOUT.as_secs())
        ),
        if asked.is_empty() {
            "no member joined".to_string()
        } else {
            asked.join(" and ")
        },
        "How long may a member be silent? A setting decides this, and its default is long.",
    ))
}

fn seconds(count: u64) -> String {
    format!("{count} s")
}

fn shares(shares: &[usize]) -> String {
    match shares {
        [] => format!("{SCALE_GROUP} has no members"),
        [one] => format!("{SCALE_GROUP} has one member, which owns {one} partitions"),
        several => format!(
            "{SCALE_GROUP} has {} members, which own {several:?} partitions",
            several.len()
        ),
    }
}
