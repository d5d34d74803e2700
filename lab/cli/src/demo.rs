//! `cargo lab demo`: the tasks with the solutions, told while they happen, and compared with the slides.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use broker::Lifetime;
use broker::shared::Place;
use cluster::{Kafka, table};
use judge::programs::{self, Version};
use judge::{Finding, Stage, Task};
use pages::{Chapter, timeline_page};
use terminal::{ensure_writable, write_page};

use crate::{kafka, task_number};

pub fn demo(only: Option<u32>, reset: bool, report: Option<&Path>) -> Result<ExitCode> {
    ensure_writable(report)?;
    let tasks = task_number::tasks(only)?;
    let names: Vec<&str> = tasks
        .iter()
        .flat_map(|task| task.programs)
        .copied()
        .collect();
    let programs = programs::build(&names, Version::Solution)?;
    let starters = starters(&tasks)?;

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

    let stage = Stage::new(cluster, programs, |text| println!("{text}"));
    let mut stage = stage.with_starters(starters);
    let mut chapters = Vec::new();
    // The log is only read where somebody will see it.
    let mut log = 0;
    if report.is_some() {
        (_, log) = lab.requests(log)?;
    }
    for task in &tasks {
        let title = format!("Task {}. {}", task.number, task.title);
        println!("\n── {title} ──\n");
        let start = Instant::now();
        (task.demo)(&mut stage)?;
        if report.is_none() {
            continue;
        }
        let (requests, end) = lab.requests(log)?;
        log = end;
        let findings = stage.findings().iter();
        chapters.push(Chapter {
            title,
            findings: findings
                .filter(|finding| finding.task == task.number)
                .map(|finding| format!("{} {}: {}.", mark(finding), finding.claim, finding.seen))
                .collect(),
            moments: stage.seen(start, &requests),
        });
    }
    let code = summary(stage.findings());
    if let Some(report) = report {
        let mut words = vec![format!("Seen on {lab}.")];
        if let Place::Yours = lab.place() {
            words.push(
                "The request log of a cluster of your own is not ours to read, so the page shows what programs printed, and \
                 neither owners nor commits."
                    .to_string(),
            );
        }
        write_page(
            report,
            &timeline_page("The demo, as it happened", &words, &chapters),
        )?;
    }
    Ok(code)
}

/// The tasks beyond the lecture's show the wrong way beside the right one, and the starters go it.
fn starters(tasks: &[&Task]) -> Result<BTreeMap<String, PathBuf>> {
    let bonus = tasks.iter().filter(|task| task.bonus);
    let names: Vec<&str> = bonus.flat_map(|task| task.programs).copied().collect();
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    programs::build(&names, Version::Own)
}

/// What was seen against what the slides say.
fn summary(findings: &[Finding]) -> ExitCode {
    println!("\n── What the slides say, and what was seen ──\n");
    let rows = findings.iter().map(|finding| {
        [
            finding.task.to_string(),
            finding.claim.clone(),
            finding.seen.clone(),
            mark(finding).to_string(),
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

fn mark(finding: &Finding) -> &'static str {
    if finding.holds { "✓" } else { "✗ differs" }
}
