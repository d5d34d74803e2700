//! `cargo lab watch`: shows a consumer group live. It is an executable of its own, because it needs a library for full-screen
//! programs, which takes a long time to build.

mod lines;
mod observations;
mod screen;
mod view;

use std::io::{IsTerminal, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use cluster::{Kafka, LiveGroup};
use jiff::{SignedDuration, Zoned};
use terminal::{no_group, run_command, running};

use crate::observations::offsets;

/// How long the first answer may take. A new cluster first has to create the topic that holds committed offsets.
const FIRST_LIMIT: Duration = Duration::from_secs(15);

/// Shows a consumer group live: who owns which partition, committed offsets, lag, and every rebalance
///
/// After each rebalance, it says who joined, left or timed out, how long the rebalance took, which partitions moved, and how long
/// they had no owner. All of this is seen from the group's coordinator: a member that was killed owns its partitions until its
/// session times out. Kafka is asked four times a second, so times are not exact: ± says how large the error can be.
///
/// rate/s is the number of records that the group has committed per second, over the last 10 s. If lag is `-`, the group has
/// committed nothing in that partition. That is not the same as 0.
///
/// If standard output is not a terminal, it prints a table, and then what changes.
#[derive(Parser)]
#[command(name = "cargo lab watch", bin_name = "cargo lab watch")]
struct Arguments {
    /// The consumer group, such as scale-group. If it does not exist yet, the command waits for it
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    group: String,
    /// Prints the table once and ends. The exit status is 1 if there is no such group
    #[arg(long)]
    once: bool,
}

fn main() -> ExitCode {
    run_command(|| {
        let Arguments { group, once } = Arguments::parse();
        watch(&group, once)
    })
}

fn watch(group: &str, once: bool) -> Result<ExitCode> {
    let kafka = Kafka::at(&running()?.bootstrap);
    // Fails if Kafka does not answer: then there is nothing to watch.
    let description = kafka.describe(group, FIRST_LIMIT)?;
    if once {
        let Some(description) = description else {
            eprintln!("{}", no_group(group));
            return Ok(ExitCode::FAILURE);
        };
        let mut live = LiveGroup::new(group);
        let offsets = offsets(&kafka, group, Some(&description))?;
        live.saw(Instant::now(), Some(description));
        live.saw_offsets(Instant::now(), offsets);
        println!("{}", live.headline(Instant::now()));
        println!(
            "{}",
            live.table()
                .context("Kafka has no offsets of this group")?
                .grid_with_totals()
        );
        return Ok(ExitCode::SUCCESS);
    }
    let live = LiveGroup::new(group);
    let observations = observations::begin(kafka, group);
    if stdout().is_terminal() && std::env::var("TERM").is_ok_and(|terminal| terminal != "dumb") {
        screen::show(live, &observations)
    } else {
        lines::print(live, &observations)
    }
}

/// The error if the thread that observes the group has ended. That should never happen.
const OBSERVER_HAS_ENDED: &str = "the group can no longer be observed; run the command again";

/// The time of day at which something happened, such as 01:42:52.
fn time_of_day(at: Instant) -> String {
    let age = SignedDuration::try_from(at.elapsed()).unwrap_or_default();
    let then = Zoned::now().saturating_sub(age);
    then.strftime("%H:%M:%S").to_string()
}
