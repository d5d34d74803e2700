//! Task 2: the consumer commits each batch after processing it, and a restart resumes at the committed offsets.

use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Result;
use common::{ANALYTICS_SERVICE, CLICKSTREAM};

use crate::contract::STOP_LIMIT;
use crate::task2_consumer::expected::ExpectedOutput;
use crate::task2_consumer::output::{printed_purchases, total, totals};
use crate::{Program, Stage};
use cluster::offsets;
use cluster::sum;

/// How long a run may take to commit its batches.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs the consumer three times: on 100 events, on 30 more, and on 10 more. Ctrl-C ends each run.
///
/// # Errors
/// If the consumer does not report its batches within 30 s, does not end within 5 s of Ctrl-C, or the cluster does not
/// answer.
pub fn run(stage: &mut Stage) -> Result<()> {
    stage.need_events(100)?;
    let available: i64 = stage.kafka.ends(CLICKSTREAM)?.iter().sum();
    let batches = usize::try_from(available / 20)?;

    stage.say(format!("Run 1: {available} events are waiting to be read."));
    let mut run1 = ConsumerRun::new(stage, batches)?;
    let lines = run1.lines();
    let first_batch = lines
        .iter()
        .position(|line| line.contains("Committed"))
        .unwrap_or(0)
        + 1;
    stage.show("consumer", &lines[..first_batch], 40, 0);
    stage.say(format!(
        "  … and so on: {batches} batches in total. Then Ctrl-C."
    ));
    let mut ended = vec![run1.stop()?];
    stage.show_group(ANALYTICS_SERVICE)?;
    stage.find(
        2,
        "the consumer commits whole batches of 20, after it has processed them",
        sum(&run1.after) == i64::try_from(batches * 20)?,
        format!(
            "{batches} batches, committed offsets {}",
            offsets(&run1.after)
        ),
    );
    run1.compare_output(
        stage,
        "the running totals and the purchases match the events that it read",
    )?;

    stage.say("Run 2: 30 more events. The committed offset works as a bookmark.");
    stage.publish(30)?;
    let mut run2 = ConsumerRun::new(stage, 1)?;
    stage.show("consumer", &run2.lines(), 40, 0);
    ended.push(run2.stop()?);
    stage.find(
        2,
        "a restart resumes at the committed offsets",
        sum(&run2.after) == sum(&run1.after) + 20,
        format!("from {} to {}", offsets(&run1.after), offsets(&run2.after)),
    );
    run2.compare_output(stage, "run 2 reprocesses nothing")?;

    stage.say("Run 3: 10 more events. Kafka also delivers the 10 events again that run 2 read but did not commit.");
    stage.publish(10)?;
    let mut run3 = ConsumerRun::new(stage, 1)?;
    ended.push(run3.stop()?);
    stage.show_group(ANALYTICS_SERVICE)?;
    stage.find(
        2,
        "events that were read but not committed are delivered again",
        sum(&run3.after) == sum(&run2.after) + 20,
        format!("from {} to {}", offsets(&run2.after), offsets(&run3.after)),
    );
    run3.compare_output(
        stage,
        "run 3 counts the repeated events together with the new ones",
    )?;

    let ended: Vec<String> = ended
        .iter()
        .filter(|status| !matches!(status.code(), Some(0 | 130)))
        .map(ToString::to_string)
        .collect();
    stage.find(
        2,
        "Ctrl-C ends the consumer with exit status 0 or 130",
        ended.is_empty(),
        if ended.is_empty() {
            "3 of 3 times".to_string()
        } else {
            ended.join(", ")
        },
    );
    Ok(())
}

/// A run that has reported all its batches.
struct ConsumerRun {
    program: Program,
    /// The group's committed offsets before this run, by partition.
    before: Vec<Option<i64>>,
    /// The committed offsets after its last batch.
    after: Vec<Option<i64>>,
}

impl ConsumerRun {
    /// Starts the consumer and waits until it has reported this many batches.
    fn new(stage: &Stage, batches: usize) -> Result<Self> {
        let before = stage.kafka.committed(ANALYTICS_SERVICE, CLICKSTREAM)?;
        let mut program = stage.start("consumer")?;
        program.wait_for(&format!("{batches} committed batches"), LIMIT, |lines| {
            let committed = lines.iter().filter(|line| line.text.contains("Committed"));
            (committed.count() >= batches).then_some(())
        })?;
        let after = stage.kafka.committed(ANALYTICS_SERVICE, CLICKSTREAM)?;
        Ok(Self {
            program,
            before,
            after,
        })
    }

    fn lines(&self) -> Vec<String> {
        self.program.texts()
    }

    /// Presses Ctrl-C and returns how the consumer ended.
    fn stop(&mut self) -> Result<ExitStatus> {
        self.program.interrupt()?;
        self.program.wait_for_end(STOP_LIMIT)
    }

    /// Compares what the consumer printed with the events between the committed offsets before and after this run.
    fn compare_output(&self, stage: &mut Stage, claim: &str) -> Result<()> {
        let expected = ExpectedOutput::between(&stage.kafka, &self.before, &self.after)?;
        let lines = self.lines();
        let totals = totals(&lines).pop().unwrap_or_default();
        let purchases = printed_purchases(&lines);
        stage.find(
            2,
            claim,
            totals == expected.counts && purchases == expected.purchases,
            format!(
                "printed: {} events, {} purchases; in Kafka: {} events, {} purchases",
                total(&totals),
                purchases.len(),
                total(&expected.counts),
                expected.purchases.len()
            ),
        );
        Ok(())
    }
}
