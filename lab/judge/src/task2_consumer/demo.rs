//! Task 2: batches are processed, then committed; a restart goes on at the committed offsets.

use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Result;
use common::{ANALYTICS_SERVICE, CLICKSTREAM};

use crate::history::printed::counts;
use crate::task2_consumer::expected::Slice;
use crate::{Program, Stage};
use cluster::offsets;
use cluster::sum;

const LIMIT: Duration = Duration::from_secs(30);

/// Ctrl-C may take 5 s by the contract.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Runs the consumer three times, stopped by Ctrl-C each time: on 100 events, on 30 more, on 10 more.
///
/// # Errors
/// When it does not commit what it should in time, or the cluster does not answer.
pub fn run(stage: &mut Stage) -> Result<()> {
    stage.need_events(100)?;
    let available: i64 = stage.kafka.ends(CLICKSTREAM)?.iter().sum();
    let batches = usize::try_from(available / 20)?;

    stage.say(format!("Run 1: {available} events wait to be read."));
    let mut run1 = Run::new(stage, batches)?;
    let lines = run1.lines();
    let first_batch = lines
        .iter()
        .position(|line| line.contains("Committed"))
        .unwrap_or(0)
        + 1;
    stage.show("consumer", &lines[..first_batch], 40, 0);
    stage.say(format!("  … and so on, {batches} batches in all. Ctrl-C."));
    let mut ended = vec![run1.stop()?];
    stage.show_group(ANALYTICS_SERVICE)?;
    stage.find(
        2,
        "whole batches of 20 are committed, after they were processed",
        sum(&run1.after) == i64::try_from(batches * 20)?,
        format!(
            "{batches} batches, committed offsets {}",
            offsets(&run1.after)
        ),
    );
    run1.compare_output(
        stage,
        "the running totals and the purchases are those of all events read",
    )?;

    stage.say("Run 2: 30 more events. The committed offset is the bookmark.");
    stage.publish(30)?;
    let mut run2 = Run::new(stage, 1)?;
    stage.show("consumer", &run2.lines(), 40, 0);
    ended.push(run2.stop()?);
    stage.find(
        2,
        "a restart resumes at the committed offsets",
        sum(&run2.after) == sum(&run1.after) + 20,
        format!("from {} to {}", offsets(&run1.after), offsets(&run2.after)),
    );
    run2.compare_output(stage, "and reprocesses nothing")?;

    stage.say("Run 3: 10 more events. The 10 that run 2 had read, but not committed, come again.");
    stage.publish(10)?;
    let mut run3 = Run::new(stage, 1)?;
    ended.push(run3.stop()?);
    stage.show_group(ANALYTICS_SERVICE)?;
    stage.find(
        2,
        "what was read but not committed is delivered again",
        sum(&run3.after) == sum(&run2.after) + 20,
        format!("from {} to {}", offsets(&run2.after), offsets(&run3.after)),
    );
    run3.compare_output(stage, "and is counted with the new events")?;

    let ended: Vec<String> = ended
        .iter()
        .filter(|status| !matches!(status.code(), Some(0 | 130)))
        .map(ToString::to_string)
        .collect();
    stage.find(
        2,
        "Ctrl-C ends the consumer in good order",
        ended.is_empty(),
        if ended.is_empty() {
            "3 of 3 times".to_string()
        } else {
            ended.join(", ")
        },
    );
    Ok(())
}

/// A run that has committed what it should.
struct Run {
    program: Program,
    before: Vec<Option<i64>>,
    after: Vec<Option<i64>>,
}

impl Run {
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

    /// Ctrl-C.
    fn stop(&mut self) -> Result<ExitStatus> {
        self.program.interrupt()?;
        self.program.wait_for_end(STOP_LIMIT)
    }

    /// Compares what it printed with the events between the commits before and after.
    fn compare_output(&self, stage: &mut Stage, claim: &str) -> Result<()> {
        let expected = Slice::of(&stage.kafka, &self.before, &self.after)?;
        let mut expected_purchases: Vec<String> = expected
            .purchases
            .iter()
            .map(|(user, cents)| format!("user={user} amount=${}.{:02}", cents / 100, cents % 100))
            .collect();
        let lines = self.lines();
        let totals = lines
            .iter()
            .filter(|line| !line.contains("Batch summary"))
            .filter_map(|line| counts(line))
            .next_back()
            .unwrap_or_default();
        let mut purchases: Vec<String> = lines
            .iter()
            .filter_map(|line| Some(line.split_once("Purchase: ")?.1.to_string()))
            .collect();
        purchases.sort();
        expected_purchases.sort();
        stage.find(
            2,
            claim,
            totals == expected.counts && purchases == expected_purchases,
            format!(
                "{} events in the totals, {} purchases; in Kafka {} and {}",
                totals.values().sum::<u64>(),
                purchases.len(),
                expected.counts.values().sum::<u64>(),
                expected_purchases.len()
            ),
        );
        Ok(())
    }
}
