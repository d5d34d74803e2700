//! Where programs are measured: a Kafka of its own without the request log, filled with events, and programs that were built
//! with optimization.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Result, bail};
use broker::{Broker, last_lines};
use cluster::Kafka;
use common::CLICKSTREAM;
use judge::programs::build_optimized;
use judge::programs::run::BOOTSTRAP_SERVERS;
use judge::random_events;
use serde::de::DeserializeOwned;
use terminal::ProgressBar;

/// How many events are published at a time.
const AT_A_TIME: u64 = 10_000;

/// How long a measured program may take. All of them stop by themselves long before that.
pub const LIMIT: Duration = Duration::from_secs(180);

/// The programs that are measured, all of the package `measured`.
const PACKAGE: &str = "measured";
const PROGRAMS: [&str; 3] = ["measured_consumer", "measured_again", "measured_bare"];

/// The place where programs are measured. Kafka ends when this is dropped.
pub struct Stand {
    pub kafka: Kafka,
    /// How many events the topic has.
    pub events: u64,
    /// How many partitions the topic has.
    pub partitions: i32,
    broker: Broker,
    consumer: PathBuf,
    again: PathBuf,
    bare: PathBuf,
}

impl Stand {
    /// How many partitions the topics of the lab have.
    pub const PARTITIONS: i32 = 3;

    /// Builds the programs, starts Kafka, and publishes the events. The bar counts one for every 10,000 of them.
    ///
    /// # Errors
    /// If a program does not compile, if Kafka cannot be started, or on Ctrl-C.
    pub fn new(events: u64, partitions: i32, bar: &ProgressBar) -> Result<Self> {
        let targets = PROGRAMS.map(|program| (PACKAGE.to_string(), program.to_string()));
        let [consumer, again, bare] = build_optimized(&targets)?;
        let broker = Broker::start()?;
        let kafka = Kafka::at(broker.bootstrap());
        kafka.wait_for_coordinators()?;
        kafka.stop_request_log()?;
        kafka.create_topics(&[(CLICKSTREAM, partitions)])?;
        for first in (0..events).step_by(usize::try_from(AT_A_TIME)?) {
            let some = random_events(first, AT_A_TIME.min(events - first));
            kafka.publish(CLICKSTREAM, &some)?;
            bar.one_more();
        }
        Ok(Self {
            kafka,
            events,
            partitions,
            broker,
            consumer,
            again,
            bare,
        })
    }

    /// How many steps of the bar publishing takes.
    pub fn steps(events: u64) -> u64 {
        events.div_ceil(AT_A_TIME)
    }

    /// Kafka's version, and where it runs.
    pub fn kafka_in_words(&self) -> String {
        let words = self.broker.to_string();
        // The address and the time to start say nothing about the figures.
        words.split(", on ").next().unwrap_or(&words).to_string()
    }

    /// The measured consumer.
    pub fn consumer(&self) -> Command {
        self.command(&self.consumer)
    }

    /// The program that counts what comes again after a crash.
    pub fn again(&self) -> Command {
        self.command(&self.again)
    }

    /// The program that reads and does nothing else.
    pub fn bare(&self) -> Command {
        self.command(&self.bare)
    }

    /// A program that finds this Kafka.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env(BOOTSTRAP_SERVERS, self.broker.bootstrap());
        command
    }
}

/// Runs a measured program and returns what it reports.
///
/// # Errors
/// If it cannot be started, if it reports nothing, or on Ctrl-C.
pub fn reported<T: DeserializeOwned>(command: &mut Command) -> Result<T> {
    let Output {
        status,
        stdout,
        stderr,
    } = broker::run(command, LIMIT)?;
    match serde_json::from_slice(&stdout) {
        Ok(report) => Ok(report),
        Err(_) => bail!(
            "{} ended ({status}) before it had measured anything. It printed last:\n{}",
            command.get_program().display(),
            last_lines(&stderr, 5)
        ),
    }
}
