//! `cargo lab watch`: a consumer group, live.

mod lines;
mod looks;
mod screen;
mod view;

use std::io::{IsTerminal, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use checks::{Kafka, LiveGroup};
use jiff::{SignedDuration, Zoned};

use crate::kafka;
use crate::watch::looks::offsets;

/// How long the first answer may take: a new cluster has yet to make the topic of commits.
const FIRST_LIMIT: Duration = Duration::from_secs(15);

pub fn watch(group: &str, once: bool) -> Result<ExitCode> {
    let kafka = Kafka::at(&kafka::running()?.bootstrap);
    // Where Kafka does not answer, there is nothing to watch yet.
    let description = kafka.describe(group, FIRST_LIMIT)?;
    if once {
        let Some(description) = description else {
            eprintln!("{}", kafka::no_group(group));
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
