//! Task 4: the program crashes before it commits, and Kafka delivers the same messages again.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::Result;
use common::{CLICKSTREAM, CRASH_DEMO_GROUP};

use crate::Stage;
use crate::history::printed::position;
use crate::task4_crash::offsets_read::OffsetsRead;
use cluster::offsets;

/// How long one run may take. The second run waits until the session of the first one times out after 10 s; a busy machine
/// takes longer.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs the crash simulator twice.
///
/// # Errors
/// If a run does not end within 60 s, or the cluster does not answer.
pub fn run(stage: &mut Stage) -> Result<()> {
    stage.need_events(100)?;
    let committed = stage.kafka.committed(CRASH_DEMO_GROUP, CLICKSTREAM)?;
    stage.say("Run 1.");
    let (first, ended_first) = crash(stage)?;
    stage.show_group(CRASH_DEMO_GROUP)?;
    let after = stage.kafka.committed(CRASH_DEMO_GROUP, CLICKSTREAM)?;
    stage.find(
        4,
        "nothing is committed: the lag still includes all fifteen messages",
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
    let died = |read: &OffsetsRead, status: ExitStatus| read.count() == 15 && !status.success();
    stage.find(
        4,
        "the program dies after 15 messages, as if the power had failed",
        died(&first, ended_first) && died(&second, ended_second),
        format!(
            "run 1: {} messages, {ended_first}; run 2: {} messages, {ended_second}",
            first.count(),
            second.count()
        ),
    );
    let committed_offset = |partition: i32| {
        let at = usize::try_from(partition).unwrap_or(usize::MAX);
        after.get(at).copied().flatten().unwrap_or(0)
    };
    stage.find(
        4,
        "in each partition that it reads, a run starts again at the committed offset",
        first.begins_at(committed_offset) && second.begins_at(committed_offset),
        format!("run 1 read {first}; run 2 read {second}"),
    );
    let processed = first.count() + second.count();
    stage.find(
        4,
        "the two runs process 30 messages, and none of them counts as read",
        processed == 30,
        format!(
            "{processed} processed; {} of them had been processed before",
            second.repeated_from(&first)
        ),
    );
    Ok(())
}

/// Runs the simulator until it crashes.
fn crash(stage: &mut Stage) -> Result<(OffsetsRead, ExitStatus)> {
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
    let mut read = OffsetsRead::default();
    for (partition, offset) in texts.iter().filter_map(|line| position(line)) {
        read.add(partition, offset);
    }
    Ok((read, status))
}
