//! Task 4: a crash before the commit, and what is delivered again.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::Result;
use common::{CLICKSTREAM, CRASH_DEMO_GROUP};

use crate::Stage;
use crate::history::printed::position;
use cluster::offsets;

/// The second run waits until the first one's session of 10 s has timed out; a busy machine takes longer.
const LIMIT: Duration = Duration::from_secs(60);

/// Positions read in each partition, in their order.
type Read = BTreeMap<i32, Vec<i64>>;

/// Runs the crash simulator twice.
///
/// # Errors
/// When it does not crash in time, or the cluster does not answer.
pub fn run(stage: &mut Stage) -> Result<()> {
    stage.need_events(100)?;
    let committed = stage.kafka.committed(CRASH_DEMO_GROUP, CLICKSTREAM)?;
    stage.say("Run 1.");
    let (first, ended_first) = crash(stage)?;
    stage.show_group(CRASH_DEMO_GROUP)?;
    let after = stage.kafka.committed(CRASH_DEMO_GROUP, CLICKSTREAM)?;
    stage.find(
        4,
        "nothing was committed: the lag still counts all fifteen",
        after == committed,
        match committed.iter().flatten().count() {
            0 => "no commit in any partition".to_string(),
            _ => format!("committed offsets {}", offsets(&after)),
        },
    );

    stage
        .say("Run 2. The group still waits for the dead member; its session times out after 10 s.");
    let (second, ended_second) = crash(stage)?;
    stage.show_group(CRASH_DEMO_GROUP)?;
    let died = |read: &Read, status: ExitStatus| count(read) == 15 && !status.success();
    stage.find(
        4,
        "the program dies after 15 messages, as if the power had gone",
        died(&first, ended_first) && died(&second, ended_second),
        format!(
            "{} messages, {ended_first}; {} messages, {ended_second}",
            count(&first),
            count(&second)
        ),
    );
    let starts_again = [&first, &second].iter().all(|run| {
        run.iter().all(|(partition, offsets)| {
            let at = usize::try_from(*partition).unwrap_or(usize::MAX);
            let committed = after.get(at).copied().flatten().unwrap_or(0);
            offsets
                .iter()
                .copied()
                .eq((committed..).take(offsets.len()))
        })
    });
    stage.find(
        4,
        "each run starts again at the committed offset of each partition it reads",
        starts_again,
        format!("run 1 read {}; run 2 {}", told(&first), told(&second)),
    );
    let processed = count(&first) + count(&second);
    stage.find(
        4,
        "30 messages are processed in two runs, and none of them counts as read",
        processed == 30,
        format!(
            "{processed} processed, {} of them twice",
            repeated(&first, &second)
        ),
    );
    Ok(())
}

fn count(read: &Read) -> usize {
    read.values().map(Vec::len).sum()
}

/// Runs the simulator until it crashes.
fn crash(stage: &mut Stage) -> Result<(Read, ExitStatus)> {
    let start = Instant::now();
    let mut program = stage.start("consumer_crash")?;
    let status = program.wait_for_end(LIMIT)?;
    let lines: Vec<_> = program.lines();
    let texts = program.texts();
    stage.show("crash", &texts, 2, 2);
    let first = lines.first().map_or(start, |line| line.at);
    stage.say(format!(
        "  Its first message came after {:.1} s. It ended with {status}.",
        (first - start).as_secs_f32()
    ));
    let mut read = Read::new();
    for (partition, offset) in texts.iter().filter_map(|line| position(line)) {
        read.entry(partition).or_default().push(offset);
    }
    Ok((read, status))
}

/// `offsets 0–14 of partition 2`.
fn told(read: &Read) -> String {
    let parts: Vec<String> = read
        .iter()
        .filter_map(|(partition, offsets)| {
            let (first, last) = (offsets.first()?, offsets.last()?);
            Some(format!("offsets {first}–{last} of partition {partition}"))
        })
        .collect();
    parts.join(", ")
}

fn repeated(first: &Read, second: &Read) -> usize {
    let is_in = |partition: &i32, offset: &i64| {
        first
            .get(partition)
            .is_some_and(|offsets| offsets.contains(offset))
    };
    second
        .iter()
        .map(|(partition, offsets)| {
            offsets
                .iter()
                .filter(|offset| is_in(partition, offset))
                .count()
        })
        .sum()
}
