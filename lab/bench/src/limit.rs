//! How near the consumer comes to the limit: to what the Kafka client hands out if nothing is done with it. The same loop in
//! Python and Kafka's own performance test in Java are measured, too, if this machine has what they need.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use common::CLICKSTREAM;
use measured::Reading;
use serde::{Deserialize, Serialize};
use terminal::ProgressBar;

use crate::beside::Beside;
use crate::consumer::{Commit, PAUSE, Run, SHORT_PAUSE, events_per_second};
use crate::java::{consumer_speed, has_java};
use crate::plan::Plan;
use crate::python::{PYTHON, has_python};
use crate::rounds::in_turns;
use crate::spread::{NO_ROUNDS, Spread};
use crate::stand::{Stand, reported};

const BATCH: u64 = 1_000;

/// The same consumer in Python.
const SCRIPT: &str = include_str!("../measured/consumer.py");

/// A way to read the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reader {
    /// Takes messages from the client and drops them.
    Bare,
    /// The measured consumer, without commits.
    WithoutCommits,
    /// The measured consumer, with batches of 1,000 and sync commits.
    WithCommits,
    /// The same as a Python script.
    Python,
    /// Kafka's performance test, which drops messages as [`Reader::Bare`] does.
    Java,
    /// The same as a program that was named on the command line.
    Beside,
}

impl Reader {
    const ALL: [Self; 6] = [
        Self::Bare,
        Self::WithoutCommits,
        Self::WithCommits,
        Self::Python,
        Self::Java,
        Self::Beside,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "the client alone",
            Self::WithoutCommits => "JSON and counts, no commits",
            Self::WithCommits => "JSON, counts, sync commits of 1,000",
            Self::Python => "the same in Python",
            Self::Java => "the client alone, in Java (kafka-consumer-perf-test)",
            Self::Beside => "the same in the other client",
        }
    }

    fn speed(self, stand: &Stand, plan: &Plan, other: Option<&Path>, group: &str) -> Result<f64> {
        let run = |commit| Run::new(BATCH, commit, plan.seconds).speed(stand, group);
        let (events, seconds) = (stand.events.to_string(), plan.seconds.to_string());
        let pause = format!("{PAUSE}={SHORT_PAUSE}");
        let like_the_script = |command: &mut Command| {
            command.args([group, &BATCH.to_string(), &events, &seconds, &pause]);
            reported(command)
        };
        let reading: Reading = match self {
            Self::WithoutCommits => return run(Commit::None),
            Self::WithCommits => return run(Commit::Sync),
            Self::Java => return consumer_speed(stand, CLICKSTREAM, group),
            Self::Bare => reported(stand.bare().args([group, &events, &seconds, &pause]))?,
            Self::Python => like_the_script(stand.command(PYTHON.as_ref()).args(["-c", SCRIPT]))?,
            Self::Beside => {
                like_the_script(&mut stand.command(other.context("there is no other client")?))?
            }
        };
        Ok(events_per_second(&reading))
    }
}

/// How fast one way to read is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Compared {
    pub reader: Reader,
    pub events_per_second: Spread,
    /// The share of the speed of [`Reader::Bare`] in the same round.
    pub of_bare: Spread,
}

/// How many steps of the bar [`measure`] takes, with Python, Java and another client.
pub fn steps(plan: &Plan) -> usize {
    Reader::ALL.len() * plan.rounds
}

/// Measures all ways to read, in turns. Python is left out if it cannot import `confluent_kafka`, and Java if there is none.
///
/// # Errors
/// If a measured program fails, or on Ctrl-C.
pub fn measure(
    stand: &Stand,
    plan: &Plan,
    beside: Option<&Beside>,
    bar: &ProgressBar,
) -> Result<Vec<Compared>> {
    let (has_python, has_java) = (has_python(), has_java());
    let mut readers = Reader::ALL.to_vec();
    readers.retain(|reader| match reader {
        Reader::Python => has_python,
        Reader::Java => has_java,
        Reader::Beside => beside.is_some(),
        Reader::Bare | Reader::WithoutCommits | Reader::WithCommits => true,
    });
    let other = beside.map(|beside| beside.consumer.as_path());
    let speeds = in_turns("limit", &readers, plan.rounds, bar, |reader, group| {
        reader.speed(stand, plan, other, group)
    })?;
    let compared = readers.iter().zip(&speeds).map(|(reader, of_reader)| {
        Some(Compared {
            reader: *reader,
            events_per_second: Spread::of(of_reader.iter().copied())?,
            of_bare: Spread::of_ratios(of_reader, &speeds[0])?,
        })
    });
    compared.collect::<Option<_>>().context(NO_ROUNDS)
}
