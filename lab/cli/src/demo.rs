//! `cargo lab demo`: runs the tasks with the solutions, explains what happens, and compares it with the slides.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use broker::Lifetime;
use broker::shared::{Place, SharedKafka};
use cluster::{Kafka, printable, table};
use judge::programs::{self, Version};
use judge::{Finding, Stage, Task};
use pages::{Chapter, timeline_page};
use terminal::{ensure_writable, write_page};

use crate::{kafka, task_number};

/// Runs the task of this number, or all tasks. `reset` allows it to empty the lab's topics on a cluster of the user's own. If
/// there is a file `report`, writes a page to it.
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

    let shared = kafka::start(Lifetime::Owned)?;
    let cluster = Kafka::at(&shared.bootstrap);
    if shared.started.is_some() {
        println!("It stops when the demo ends.");
    } else if kafka::is_used(&cluster)? {
        empty(&shared, &cluster, reset)?;
    }

    let stage = Stage::new(cluster, programs, |text| {
        println!("{}", printable(text));
    });
    let mut stage = stage.with_starters(starters);
    let mut chapters = Vec::new();
    // The request log is needed only for the page.
    let mut log = 0;
    if report.is_some() {
        (_, log) = shared.requests(log)?;
    }
    for task in &tasks {
        let title = format!("Task {}. {}", task.number, task.title);
        println!("\n── {title} ──\n");
        let start = Instant::now();
        (task.demo)(&mut stage)?;
        if report.is_none() {
            continue;
        }
        let (requests, end) = shared.requests(log)?;
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
        let introduction = introduction(&shared);
        write_page(
            report,
            &timeline_page("What happened in the demo", &introduction, &chapters),
        )?;
    }
    Ok(code)
}

/// Empties the lab's topics and deletes its groups. On a cluster of the user's own, it does so only if `reset`.
fn empty(shared: &SharedKafka, cluster: &Kafka, reset: bool) -> Result<()> {
    if let (Place::Yours, false) = (shared.place(), reset) {
        bail!(
            "the lab's topics on {} contain events, but the demo needs empty topics. `cargo lab demo --reset` first deletes \
             the lab's topics and groups, and creates the topics again",
            shared.bootstrap
        );
    }
    println!(
        "The demo needs empty topics, so it empties the lab's topics and deletes the lab's groups."
    );
    kafka::empty(cluster)
}

/// The paragraphs at the top of the page.
fn introduction(shared: &SharedKafka) -> Vec<String> {
    let mut paragraphs = vec![format!("Recorded on {shared}.")];
    if let Place::Yours = shared.place() {
        paragraphs.push(
            "The lab cannot read the request log of your own cluster. This page therefore shows what the programs printed, \
             but no owners and no commits."
                .to_string(),
        );
    }
    paragraphs
}

/// The starters of the bonus tasks: their demos also run the starter, to show what goes wrong without the solution.
fn starters(tasks: &[&Task]) -> Result<BTreeMap<String, PathBuf>> {
    let bonus = tasks.iter().filter(|task| task.bonus);
    let names: Vec<&str> = bonus.flat_map(|task| task.programs).copied().collect();
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    programs::build(&names, Version::Own)
}

/// Prints what the slides say next to what was seen. The exit status is 1 if they differ.
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
        table(
            &["task", "what should happen", "what was seen", ""],
            &[],
            rows
        )
    );
    let differ = findings.iter().filter(|finding| !finding.holds).count();
    if differ == 0 {
        println!("\nEverything happened as the slides say.");
        ExitCode::SUCCESS
    } else {
        println!(
            "\n{differ} of {} findings differ from the slides. They are marked ✗ above.",
            findings.len()
        );
        ExitCode::FAILURE
    }
}

fn mark(finding: &Finding) -> &'static str {
    if finding.holds { "✓" } else { "✗ differs" }
}
