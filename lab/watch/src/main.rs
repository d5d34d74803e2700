//! `cargo lab watch`: a consumer group, live. An executable of its own, because it needs a library for whole screens.

mod lines;
mod looks;
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

use crate::looks::offsets;

/// How long the first answer may take: a new cluster has yet to make the topic of commits.
const FIRST_LIMIT: Duration = Duration::from_secs(15);

/// Shows a consumer group live: who owns which partition, committed offsets, lag, and every rebalance
///
/// A rebalance is logged when it is over: who joined, left or timed out, how long it took, which partitions moved, and how
/// long they had no owner. All this is by the account of the group's coordinator: a member that was killed owns its
/// partitions until its session times out. The group is looked at four times a second; the error of a time is given with it.
///
/// rate/s is how many records the group has committed per second, over the last 10 s. Lag `-` means that nothing was
/// committed there: that is not 0.
///
/// Where standard output is no terminal, prints a table and then what changes.
#[derive(Parser)]
#[command(name = "cargo lab watch", bin_name = "cargo lab watch")]
struct Arguments {
    /// The consumer group, such as scale-group. If there is none of that name, waits for it
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    group: String,
    /// Prints the table once. The exit status is 1 if there is no such group
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
    // Where Kafka does not answer, there is nothing to watch yet.
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
        println!("{}", live.table().context("no table")?.grid_with_totals());
        return Ok(ExitCode::SUCCESS);
    }
    let live = LiveGroup::new(group);
    let looks = looks::begin(kafka, group);
    if stdout().is_terminal() && std::env::var("TERM").is_ok_and(|terminal| terminal != "dumb") {
        screen::show(live, &looks)
    } else {
        lines::print(live, &looks)
    }
}

/// The time of day at which something happened.
fn time_of_day(at: Instant) -> String {
    let age = SignedDuration::try_from(at.elapsed()).unwrap_or_default();
    let then = Zoned::now().saturating_sub(age);
    then.strftime("%H:%M:%S").to_string()
}
