//! The demo of task 3: partitions move when members of a group join, leave, and die.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use broker::wait;
use common::{CLICKSTREAM, SCALE_GROUP};

use crate::contract::{SESSION_TIMEOUT, STOP_LIMIT};
use crate::history::printed::{numbers_beside, position};
use crate::{Line, Program, Stage};

/// The limit for a rebalance. After a join it takes up to 3 s (the heartbeat interval), after a kill 10 s (the session
/// timeout), and on a busy machine longer.
const LIMIT: Duration = Duration::from_secs(60);

/// How long a member may take to print its partitions once Kafka reports that it owns them.
const SAY_LIMIT: Duration = Duration::from_secs(15);

/// How long a takeover may take after a member has left the group.
const LEFT_LIMIT: Duration = Duration::from_secs(10);

/// The shortest time from a kill to the takeover. The session times out 10 s after the last heartbeat, and a member
/// sends one every 3 s, so the last one came at most 3 s before the kill. That makes 7 s, less 0.5 s of tolerance.
const NOT_BEFORE: Duration = Duration::from_millis(6_500);

/// A runs alone. B joins. Ctrl-C stops A. A comes back. A is killed.
///
/// # Errors
/// When a rebalance takes too long, or the cluster does not answer.
pub fn run(stage: &mut Stage) -> Result<()> {
    stage.need_events(100)?;

    stage.say("Consumer A starts, alone in its group.");
    let mut a = stage.start("consumer_group_a")?;
    let start = Instant::now();
    wait_for_owners(stage, &[3])?;
    let assigned = wait_for_assignment(&mut a, start, 3)?;
    show_rebalances(stage, "A", &a, start);
    stage.show_group(SCALE_GROUP)?;
    stage.find(
        3,
        "alone, A owns all 3 partitions",
        assigned.len() == 3,
        format!("A owns partitions {assigned:?}"),
    );

    stage.say("Consumer B joins.");
    let start = Instant::now();
    let mut b = stage.start("consumer_group_b")?;
    let shares = wait_for_owners(stage, &[1, 2])?;
    let took = start.elapsed();
    wait_for_assignment(&mut b, start, 1)?;
    wait_for_assignment(&mut a, start, 1)?;
    show_rebalances(stage, "A", &a, start);
    show_rebalances(stage, "B", &b, start);
    stage.show_group(SCALE_GROUP)?;
    stage.find(
        3,
        "when B joins, one member owns 2 partitions and the other 1",
        shares == [1, 2],
        format!("{} partitions, after {}", plus(&shares), seconds(took)),
    );

    stage.say("Ctrl-C in A's terminal: A leaves the group before it ends.");
    let start = Instant::now();
    a.interrupt()?;
    a.wait_for_end(STOP_LIMIT)?;
    let took = wait_for_takeover(stage, &mut b, start)?;
    stage.show_group(SCALE_GROUP)?;
    stage.find(
        3,
        &format!(
            "after Ctrl-C in A, B takes over A's partitions within {} s",
            LEFT_LIMIT.as_secs()
        ),
        took < LEFT_LIMIT,
        format!(
            "B took over after {}, because A had left the group",
            seconds(took)
        ),
    );

    stage.say("A comes back.");
    let mut a = stage.start("consumer_group_a")?;
    wait_for_owners(stage, &[1, 2])?;
    stage.publish(30)?;
    wait_until_read(stage)?;
    let mine = positions(&a.lines());
    stage.say(format!(
        "Published 30 more events. A read {}, and B read the others.",
        mine.len()
    ));
    stage.show_group(SCALE_GROUP)?;

    stage.say("kill -9 for A: it cannot say goodbye.");
    let start = Instant::now();
    a.kill()?;
    let took = wait_for_takeover(stage, &mut b, start)?;
    stage.show_group(SCALE_GROUP)?;
    stage.find(
        3,
        &format!(
            "after kill -9, B takes over A's partitions only when A's session times out ({} s)",
            SESSION_TIMEOUT.as_secs()
        ),
        took > NOT_BEFORE,
        format!("B took over after {}", seconds(took)),
    );

    let mut all = [mine, positions(&b.lines())].concat();
    let read = all.len();
    all.sort_unstable();
    all.dedup();
    stage.find(
        3,
        "no message is read by both members",
        all.len() == read,
        format!(
            "since A came back, A and B together read {read} messages, {} of them different",
            all.len()
        ),
    );
    b.interrupt()?;
    b.wait_for_end(STOP_LIMIT)?;
    Ok(())
}

/// Waits until the members of the group own these numbers of partitions, smallest first. Returns them.
fn wait_for_owners(stage: &Stage, expected: &[usize]) -> Result<Vec<usize>> {
    let mut shares = Vec::new();
    wait::until(
        &format!("the members to own {} partitions", plus(expected)),
        LIMIT,
        || {
            let members = stage.kafka.members(SCALE_GROUP, CLICKSTREAM)?;
            shares = members
                .iter()
                .map(|member| member.partitions.len())
                .collect();
            shares.sort_unstable();
            Ok((shares == expected).then_some(()))
        },
    )
    .with_context(|| format!("the members of {SCALE_GROUP} own {shares:?} partitions"))?;
    Ok(shares)
}

/// Waits until the member has printed since `start` that it was assigned at least this many partitions. Returns them.
fn wait_for_assignment(
    member: &mut Program,
    start: Instant,
    count: usize,
) -> Result<BTreeSet<i32>> {
    member.wait_for(
        &format!("`assigned` and {count} partitions"),
        SAY_LIMIT,
        |lines| {
            let new = lines.iter().filter(|line| line.at >= start);
            let assigned = new
                .filter_map(|line| numbers_beside(&line.text, "assigned"))
                .next_back()?;
            (assigned.len() >= count).then_some(assigned)
        },
    )
}

/// Waits until B owns all three partitions and has printed an assignment. Returns the time from `start` to that line.
fn wait_for_takeover(stage: &mut Stage, b: &mut Program, start: Instant) -> Result<Duration> {
    wait_for_owners(stage, &[3])?;
    wait_for_assignment(b, start, 1)?;
    let at = b
        .lines()
        .into_iter()
        .filter(|line| line.text.contains("assigned"))
        .map(|line| line.at)
        .next_back();
    show_rebalances(stage, "B", b, start);
    Ok(at.unwrap_or(start).saturating_duration_since(start))
}

/// Waits until the group has committed every event in the topic.
fn wait_until_read(stage: &Stage) -> Result<()> {
    wait::until("the group to read and commit all events", LIMIT, || {
        let ends = stage.kafka.ends(CLICKSTREAM)?;
        let committed = stage.kafka.committed(SCALE_GROUP, CLICKSTREAM)?;
        let all = ends
            .iter()
            .zip(&committed)
            .all(|(end, done)| *end == done.unwrap_or(0));
        Ok(all.then_some(()))
    })
}

/// Shows what a member printed about rebalances since `start`.
fn show_rebalances(stage: &mut Stage, name: &str, program: &Program, start: Instant) {
    for line in program.lines() {
        let is_rebalance = line.text.contains("assigned") || line.text.contains("revoked");
        if is_rebalance && line.at >= start {
            let after = seconds(line.at - start);
            stage.say(format!("  {name} | {:58} after {after}", line.text));
        }
    }
}

/// The partition and the offset of each message that these lines report.
fn positions(lines: &[Line]) -> Vec<(i32, i64)> {
    lines
        .iter()
        .filter_map(|line| position(&line.text))
        .collect()
}

/// The larger number first: `2 + 1`.
fn plus(shares: &[usize]) -> String {
    let shares: Vec<String> = shares.iter().rev().map(ToString::to_string).collect();
    shares.join(" + ")
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f32())
}
