//! `cargo lab demo`: the tasks with the solutions, told while they happen, and compared with the slides.

use std::process::ExitCode;

use anyhow::{Result, bail};
use broker::Lifetime;
use broker::lab::Place;
use checks::programs::{self, Version};
use checks::{Finding, Kafka, Stage, table};

use crate::{kafka, usage};

pub fn demo(only: Option<u32>, reset: bool) -> Result<ExitCode> {
    let tasks = usage::tasks(only)?;
    let names: Vec<&str> = tasks
        .iter()
        .flat_map(|task| task.programs)
        .copied()
        .collect();
    let programs = programs::build(&names, Version::Solution)?;

    let lab = kafka::start(Lifetime::Owned)?;
    let cluster = Kafka::at(&lab.bootstrap);
    if lab.started.is_some() {
        println!("It stops when the demo ends.");
    } else if kafka::is_used(&cluster)? {
        if let (Place::Yours, false) = (lab.place(), reset) {
            bail!(
                "the lab's topics on {} hold events, and the demo starts with empty ones. \
                 `cargo lab demo --reset` deletes them and the lab's groups first",
                lab.bootstrap
            );
        }
        println!(
            "The demo starts with empty topics: those of the lab are made anew, its groups are forgotten."
        );
        kafka::empty(&cluster)?;
    }

    let mut stage = Stage::new(cluster, programs, |text| println!("{text}"));
    for task in &tasks {
        println!("\n── Task {}. {} ──\n", task.number, task.title);
        (task.run)(&mut stage)?;
    }
    Ok(summary(stage.findings()))
}

/// What was seen against what the slides say.
fn summary(findings: &[Finding]) -> ExitCode {
    println!("\n── What the slides say, and what was seen ──\n");
    let rows = findings.iter().map(|finding| {
        let mark = if finding.holds { "✓" } else { "✗ differs" };
        [
            finding.task.to_string(),
            finding.claim.clone(),
            finding.seen.clone(),
            mark.to_string(),
        ]
    });
    println!(
        "{}",
        table(&["task", "what should be", "what was seen", ""], &[], rows)
    );
    let differ = findings.iter().filter(|finding| !finding.holds).count();
    if differ == 0 {
        println!("\nAll as the slides say.");
        ExitCode::SUCCESS
    } else {
        println!("\n{differ} of {} differ from the slides.", findings.len());
        ExitCode::FAILURE
    }
}
