//! `cargo lab bench` measures what a commit costs. The test looks at what came again after a crash, and at no speed.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use judge::programs::Version;
use libtest_mimic::Trial;
use serde_json::Value;
use tempfile::TempDir;

use crate::command_line::{CommandLine, text};
use crate::{browser, busy_trial, programs, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        busy_trial("bench::shows_speed_against_replay", 2, quick),
        trial("bench::asks_for_the_batch_size", asks),
    ]
}

fn asks() -> Result<()> {
    let lab = CommandLine::new()?;
    let said = lab.refused(&mut lab.command("bench --program consumer"))?;
    ensure!(said.contains("--batch"), "{said}");
    let said = lab.refused(&mut lab.command("bench --batch 20 --program no/such/file"))?;
    ensure!(said.contains("no/such/file"), "{said}");
    Ok(())
}

fn quick() -> Result<()> {
    let folder = TempDir::new()?;
    let [json, page, picture] =
        ["bench.json", "bench.html", "bench.svg"].map(|name| folder.path().join(name));
    let output = CommandLine::new()?
        .command("bench --quick --batch 20 --program")
        .arg(&programs(Version::Solution)?["consumer"])
        .args(["--json".as_ref(), json.as_os_str()])
        .args(["--page".as_ref(), page.as_os_str()])
        .args(["--picture".as_ref(), picture.as_os_str()])
        .output()?;
    let printed = text(&output)?;
    ensure!(
        printed.contains("come again after a crash")
            && printed.contains("Your consumer, batches of 20"),
        "the table or the user's consumer is missing: {printed}"
    );
    let results: Value = serde_json::from_str(&fs::read_to_string(json)?)?;
    ensure_the_trade(&results)?;
    for (section, rows) in [("limit", 3), ("producer", 6), ("exactly_once", 4)] {
        let found = results[section].as_array().map_or(0, Vec::len);
        // The rows of Python and Java are missing if this machine has no client for them.
        ensure!(
            (rows..=rows + 2).contains(&found),
            "there are {found} rows in {section}, but there must be {rows}"
        );
    }
    ensure!(
        results["yours"]["batch"] == 20,
        "the user's consumer is missing: {}",
        results["yours"]
    );
    let drawn = fs::read_to_string(&picture)?;
    ensure!(
        drawn.starts_with("<svg")
            && drawn.matches("<polyline").count() == 4
            && drawn.contains(">yours, 20<"),
        "the picture does not have a line for each way to commit, and a point for the user's consumer"
    );
    let html = fs::read_to_string(&page)?;
    for words in ["What a commit costs", "<svg", "events a second", "10,000"] {
        ensure!(html.contains(words), "the page does not say {words}");
    }
    match browser::missing() {
        None => browser::look(&[page]),
        Some(_) => Ok(()),
    }
}

fn ensure_the_trade(results: &Value) -> Result<()> {
    let events = results["events"].as_f64().context("no number of events")?;
    let choices = results["trade"].as_array().context("no trade")?;
    let mut seen = BTreeSet::new();
    for choice in choices {
        let batch = choice["batch"].as_f64().context("no batch size")?;
        let commit = choice["commit"].as_str().context("no way to commit")?;
        seen.insert((choice["batch"].as_u64(), commit));
        for figure in ["events_per_second", "of_no_commit", "again"] {
            let value = |name: &str| choice[figure][name].as_f64();
            let [smallest, median, largest] = ["smallest", "median", "largest"].map(value);
            ensure!(
                smallest >= Some(0.0) && smallest <= median && median <= largest,
                "{figure} is no spread in {choice}"
            );
        }
        let again = |name: &str| choice["again"][name].as_f64().unwrap_or_default();
        let is_right = match commit {
            // Only the last batch was not committed.
            "sync" => again("smallest") == batch && again("largest") == batch,
            // Earlier commits may be on their way. The last one may include events of the last batch.
            "async" => again("largest") <= events,
            "none" => again("smallest") == events && again("largest") == events,
            _ => false,
        };
        ensure!(is_right, "this cannot come again after a crash: {choice}");
    }
    ensure!(
        choices.len() == 18 && seen.len() == 18,
        "there are {} choices, but 6 batch sizes with 3 ways to commit each make 18",
        seen.len()
    );
    Ok(())
}
