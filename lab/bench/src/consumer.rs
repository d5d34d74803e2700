//! A run of the measured consumer.

use std::process::Command;

use anyhow::Result;
use measured::Reading;
use serde::{Deserialize, Serialize};

use crate::stand::{Stand, reported};

/// The setting for how long librdkafka pauses when it has fetched ahead. The page says why it matters.
pub const PAUSE: &str = "fetch.queue.backoff.ms";

/// Its default, in milliseconds.
pub const DEFAULT_PAUSE: u32 = 1_000;

/// A pause too short to matter, in milliseconds.
pub const SHORT_PAUSE: u32 = 10;

/// How a batch is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Commit {
    /// The consumer waits for the broker's answer.
    Sync,
    /// The consumer only queues the commit.
    Async,
    /// The consumer never commits.
    None,
}

impl Commit {
    pub const ALL: [Self; 3] = [Self::Sync, Self::Async, Self::None];

    /// As an argument of the measured consumer, and as a name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
            Self::None => "none",
        }
    }
}

/// The speed of a run.
pub fn events_per_second(reading: &Reading) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "it is at most ten million")]
    let events = reading.events as f64;
    events / reading.seconds
}

/// A run of the measured consumer. It stops after some seconds, or with the last full batch of the topic.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    batch: u64,
    commit: Commit,
    seconds: f64,
    /// How long librdkafka pauses, in milliseconds.
    pause: u32,
}

impl Run {
    /// A run in which librdkafka's pauses are too short to matter.
    pub fn new(batch: u64, commit: Commit, seconds: f64) -> Self {
        Self {
            batch,
            commit,
            seconds,
            pause: SHORT_PAUSE,
        }
    }

    /// The same run with the pause that librdkafka has by default, and so the lab programs have.
    #[must_use]
    pub fn with_default_pause(self) -> Self {
        self.with_pause(DEFAULT_PAUSE)
    }

    /// The same run with another pause, in milliseconds.
    #[must_use]
    pub fn with_pause(mut self, pause: u32) -> Self {
        self.pause = pause;
        self
    }

    /// Returns how many events the consumer processes per second.
    ///
    /// # Errors
    /// If it fails, or on Ctrl-C.
    pub fn speed(&self, stand: &Stand, group: &str) -> Result<f64> {
        Ok(events_per_second(&self.read(stand, group, "ends")?))
    }

    /// Lets the consumer crash after it has processed its last batch, and before it commits that batch.
    ///
    /// # Errors
    /// If it fails in another way, or on Ctrl-C.
    pub fn crash(&self, stand: &Stand, group: &str) -> Result<Reading> {
        self.read(stand, group, "dies")
    }

    fn read(&self, stand: &Stand, group: &str, end: &str) -> Result<Reading> {
        reported(&mut self.command(stand, group, stand.events, end))
    }

    /// The command that starts it. It reads at most so many events, and then `ends` or `dies`.
    pub fn command(&self, stand: &Stand, group: &str, events: u64, end: &str) -> Command {
        let mut command = stand.consumer();
        command.args([
            group,
            &self.batch.to_string(),
            self.commit.name(),
            &events.to_string(),
            &self.seconds.to_string(),
            end,
            &format!("{PAUSE}={}", self.pause),
        ]);
        command
    }
}
