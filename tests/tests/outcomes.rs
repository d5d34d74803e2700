//! The demo of each task has its expected outcome, with the solutions.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};
use broker::Broker;
use cluster::Kafka;
use common::TOPICS;
use judge::programs::Version;
use judge::{Stage, TASKS};
use libtest_mimic::Trial;
use parking_lot::Mutex;

use crate::crash_in_a_batch::crash_in_a_batch;
use crate::{programs, trial};

pub fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = TASKS
        .iter()
        .map(|task| {
            trial(
                &format!("outcomes::task{}_{}", task.number, task.programs[0]),
                || with_solutions(task.demo),
            )
        })
        .collect();
    trials.push(trial("outcomes::task2_consumer_killed_in_a_batch", || {
        with_solutions(crash_in_a_batch)
    }));
    trials
}

fn with_solutions(task: impl FnOnce(&mut Stage) -> Result<()>) -> Result<()> {
    on_stage(programs(Version::Solution)?, task)
}

/// Runs a task's demo on a broker of its own. If a finding does not hold, the error contains all that the demo printed.
fn on_stage(
    programs: BTreeMap<String, PathBuf>,
    task: impl FnOnce(&mut Stage) -> Result<()>,
) -> Result<()> {
    let broker = Broker::start()?;
    let kafka = Kafka::at(broker.bootstrap());
    kafka.create_topics(TOPICS)?;
    let output = Arc::new(Mutex::new(format!("{broker}\n")));
    let printed = Arc::clone(&output);
    let stage = Stage::new(kafka, programs, move |text| {
        let mut printed = printed.lock();
        *printed += text;
        printed.push('\n');
    });
    let mut stage = stage.with_starters(crate::programs(Version::Own)?);
    let ended = task(&mut stage);
    let mut differ = Vec::new();
    for finding in stage.findings().iter().filter(|finding| !finding.holds) {
        differ.push(format!("{}: {}", finding.claim, finding.seen));
    }
    if let Err(error) = ended {
        differ.push(format!("{error:#}"));
    }
    if differ.is_empty() {
        return Ok(());
    }
    let output = output.lock();
    bail!(
        "{output}\nThis differs from the slides:\n{}",
        differ.join("\n")
    )
}
