//! How fast a producer is with several settings, beside the limit of its client, and beside the same in Python
//! and Java.

use anyhow::{Context, Result};
use measured::Reading;
use serde::{Deserialize, Serialize};
use terminal::ProgressBar;

use crate::beside::Beside;
use crate::consumer::events_per_second;
use crate::java::{has_java, producer_speed};
use crate::plan::Plan;
use crate::python::{PYTHON, has_python};
use crate::rounds::in_turns;
use crate::solutions::Solutions;
use crate::spread::{NO_ROUNDS, Spread};
use crate::stand::{Stand, reported};

/// The topic for what the producers publish.
const TOPIC: &str = "produced";

/// A producer publishes this share of the events that the consumers read.
const SHARE: u64 = 5;

/// What task 1 asks for. Later settings replace earlier ones.
const OF_TASK_1: &str = "acks=all linger.ms=5";

/// The ways to publish: what they are called, how they run, and their settings beside those of task 1. The first is the limit
/// that the others are compared to.
const WAYS: [(&str, Runs, &str); 9] = [
    ("the client alone", Runs::Bare, ""),
    ("as in task 1", Runs::WithReports, ""),
    ("linger.ms=0", Runs::WithReports, "linger.ms=0"),
    ("linger.ms=50", Runs::WithReports, "linger.ms=50"),
    ("acks=1", Runs::WithReports, "acks=1"),
    (
        "enable.idempotence=true",
        Runs::WithReports,
        "enable.idempotence=true",
    ),
    ("as in task 1, in Python", Runs::Python, ""),
    (
        "as in task 1, in Java (kafka-producer-perf-test)",
        Runs::Java,
        "",
    ),
    ("as in task 1, in the other client", Runs::Beside, ""),
];

/// How a producer runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runs {
    /// Nobody looks at the delivery reports.
    Bare,
    /// A callback counts the delivery reports.
    WithReports,
    Python,
    /// Kafka's own performance test.
    Java,
    /// A program that was named on the command line.
    Beside,
}

/// How fast one way to publish is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Published {
    pub way: String,
    pub events_per_second: Spread,
    /// The share of the speed of the client alone, in the same round.
    pub of_bare: Spread,
}

/// How many steps of the bar [`measure`] takes, with Python, Java and another client.
pub fn steps(plan: &Plan) -> usize {
    WAYS.len() * plan.rounds
}

/// Measures all ways to publish, in turns. Python is left out if it cannot import `confluent_kafka`, and Java if there is none.
///
/// # Errors
/// If a measured program fails, or on Ctrl-C.
pub fn measure(
    stand: &Stand,
    plan: &Plan,
    solutions: &Solutions,
    beside: Option<&Beside>,
    bar: &ProgressBar,
) -> Result<Vec<Published>> {
    stand.kafka.create_topics(&[(TOPIC, Stand::PARTITIONS)])?;
    let (has_python, has_java) = (has_python(), has_java());
    let mut ways = WAYS.to_vec();
    ways.retain(|(_, runs, _)| match runs {
        Runs::Python => has_python,
        Runs::Java => has_java,
        Runs::Beside => beside.is_some(),
        Runs::Bare | Runs::WithReports => true,
    });
    let events = stand.events / SHARE;
    let speeds = in_turns("produce", &ways, plan.rounds, bar, |(_, runs, own), _| {
        // Only our program can do without the delivery reports, so only it is told.
        let (mut command, reports) = match runs {
            Runs::Bare => (stand.command(&solutions.producer), Some("bare")),
            Runs::WithReports => (stand.command(&solutions.producer), Some("reports")),
            Runs::Python => {
                let mut python = stand.command(PYTHON.as_ref());
                python.arg(&solutions.script);
                (python, None)
            }
            Runs::Java => return producer_speed(stand, TOPIC, events, OF_TASK_1),
            Runs::Beside => {
                let other = beside.context("there is no other client")?;
                (stand.command(&other.producer), None)
            }
        };
        command.args([TOPIC, &events.to_string()]).args(reports);
        command.args(OF_TASK_1.split_whitespace().chain(own.split_whitespace()));
        Ok(events_per_second(&reported::<Reading>(&mut command)?))
    })?;
    let published = ways.iter().zip(&speeds).map(|((way, ..), of_way)| {
        Some(Published {
            way: (*way).to_string(),
            events_per_second: Spread::of(of_way.iter().copied())?,
            of_bare: Spread::of_ratios(of_way, &speeds[0])?,
        })
    });
    published.collect::<Option<_>>().context(NO_ROUNDS)
}
