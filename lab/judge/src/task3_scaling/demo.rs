//! Task 3: partitions move when members of a group come, leave, and die.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use broker::wait;
use common::{CLICKSTREAM, SCALE_GROUP};

use crate::history::printed::{numbers_beside, position};
use crate::{Line, Program, Stage};

/// A rebalance takes up to 3 s (a heartbeat), a kill 10 s (the session timeout); a busy machine takes longer.
const LIMIT: Duration = Duration::from_secs(60);

/// Kafka has told that a member owns its partitions; how long the member may take to say so itself.
const SAY_LIMIT: Duration = Duration::from_secs(15);

/// A member is taken for dead 10 s after its last heartbeat, and it sends one every 3 s: not before 7 s after a kill.
const NOT_BEFORE: Duration = Duration::from_millis(6_500);

/// A alone; B joins; A is stopped by Ctrl-C; A comes back; A is killed.
///
/// # Errors
/// When a rebalance does not come in time, or the cluster does not answer.
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
        format!("A: {assigned:?}"),
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
        "when B joins, the partitions are split 2 + 1",
        shares == [1, 2],
        format!("{}, after {}", plus(&shares), seconds(took)),
    );

    stage.say("Ctrl-C in A's terminal: A leaves the group.");
    let start = Instant::now();
    a.interrupt()?;
    a.wait_for_end(Duration::from_secs(5))?;
    let took = wait_for_takeover(stage, &mut b, start)?;
    stage.show_group(SCALE_GROUP)?;
    stage.find(
        3,
        "after Ctrl-C in A, B inherits its partitions within about 10 s",
        took < Duration::from_secs(10),
        format!("after {}: A left the group", seconds(took)),
    );

    stage.say("A comes back.");
    let mut a = stage.start("consumer_group_a")?;
    wait_for_owners(stage, &[1, 2])?;
    stage.publish(30)?;
    wait_until_read(stage)?;
    let mine = positions(&a.lines());
    stage.say(format!(
        "30 more events: A reads {}, B the rest.",
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
        "after kill -9, B inherits them when A's session of 10 s times out",
        took > NOT_BEFORE,
        format!("after {}", seconds(took)),
    );

    let mut all = [mine, positions(&b.lines())].concat();
    let read = all.len();
    all.sort_unstable();
    all.dedup();
    stage.find(
        3,
        "no message is read by both",
        all.len() == read,
        format!(
            "{read} messages read since A came back, {} of them different",
            all.len()
        ),
    );
    b.interrupt()?;
    b.wait_for_end(Duration::from_secs(5))?;
    Ok(())
}

/// Waits until the members of the group own this many partitions each, and returns that.
fn wait_for_owners(stage: &Stage, expected: &[usize]) -> Result<Vec<usize>> {
    let mut shares = Vec::new();
    wait::until(
        &format!("the partitions to be shared {}", plus(expected)),
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
    .with_context(|| format!("{SCALE_GROUP}'s members own {shares:?}"))?;
    Ok(shares)
}

/// Waits until the member has printed, since `start`, that it was assigned at least this many partitions.
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

/// Waits until B has printed that it was given all three partitions; returns how long that took since `start`.
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

/// Waits until the group has committed all that is in the topic.
fn wait_until_read(stage: &Stage) -> Result<()> {
    wait::until("the group to have read all", LIMIT, || {
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
        let told = line.text.contains("assigned") || line.text.contains("revoked");
        if told && line.at >= start {
            let after = seconds(line.at - start);
            stage.say(format!("  {name} | {:58} after {after}", line.text));
        }
    }
}

fn positions(lines: &[Line]) -> Vec<(i32, i64)> {
    lines
        .iter()
        .filter_map(|line| position(&line.text))
        .collect()
}

fn plus(shares: &[usize]) -> String {
    let shares: Vec<String> = shares.iter().rev().map(ToString::to_string).collect();
    shares.join(" + ")
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f32())
}
