//! The trade: batches of several sizes, committed in three ways. How many events a second does the consumer process, and how
//! many come again if it crashes at the worst moment?

use anyhow::{Context, Result};
use measured::{Again, Reading};
use serde::{Deserialize, Serialize};
use terminal::ProgressBar;

use crate::plan::Plan;
use crate::spread::Spread;
use crate::stand::{Stand, reported};

/// The batch sizes.
const BATCHES: [u64; 6] = [1, 10, 20, 100, 1_000, 10_000];

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

/// One batch size with one way to commit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Choice {
    pub batch: u64,
    pub commit: Commit,
    pub events_per_second: Spread,
    /// The share of the speed that the same batch size has without commits, measured in the same round.
    pub of_no_commit: Spread,
    /// How many events came again after a crash at the worst moment.
    pub again: Spread,
}

/// How many steps of the bar [`measure`] takes.
pub fn steps(plan: &Plan) -> usize {
    BATCHES.len() * Commit::ALL.len() * (plan.rounds + plan.crashes)
}

/// Measures all choices. In each round, every choice has its turn, so a machine that becomes slower is slower for all.
///
/// # Errors
/// If a measured program fails, or on Ctrl-C.
pub fn measure(stand: &Stand, plan: &Plan, bar: &ProgressBar) -> Result<Vec<Choice>> {
    let choices: Vec<(u64, Commit)> = BATCHES
        .iter()
        .flat_map(|batch| Commit::ALL.map(|commit| (*batch, commit)))
        .collect();
    let mut speeds = vec![Vec::new(); choices.len()];
    let mut again = vec![Vec::new(); choices.len()];
    for round in 0..plan.rounds {
        for (at, (batch, commit)) in choices.iter().enumerate() {
            let group = format!("speed-{round}-{at}");
            let end = End::AfterSeconds(plan.seconds);
            speeds[at].push(speed(stand, &group, *batch, *commit, end)?);
            bar.one_more();
        }
    }
    for crash in 0..plan.crashes {
        for (at, (batch, commit)) in choices.iter().enumerate() {
            let group = format!("crash-{crash}-{at}");
            again[at].push(crash_and_go_on(stand, &group, *batch, *commit, plan)?);
            bar.one_more();
        }
    }
    let measured = choices.iter().enumerate().map(|(at, (batch, commit))| {
        let without = choices
            .iter()
            .position(|other| *other == (*batch, Commit::None))?;
        let ratios = speeds[at].iter().zip(&speeds[without]);
        Some(Choice {
            batch: *batch,
            commit: *commit,
            events_per_second: Spread::of(speeds[at].iter().copied())?,
            of_no_commit: Spread::of(ratios.map(|(speed, without)| speed / without))?,
            again: Spread::of(again[at].iter().copied())?,
        })
    });
    measured
        .collect::<Option<_>>()
        .context("nothing was measured, because the plan has no rounds")
}

/// How a run of the consumer ends.
#[derive(Clone, Copy)]
enum End {
    /// After this time, or with the last full batch of the topic.
    AfterSeconds(f64),
    /// In the same way, but it crashes before it commits its last batch.
    Crashes(f64),
}

/// Returns how many events the consumer processes per second.
fn speed(stand: &Stand, group: &str, batch: u64, commit: Commit, end: End) -> Result<f64> {
    let reading = run(stand, group, batch, commit, end)?;
    #[expect(clippy::cast_precision_loss, reason = "it is at most ten million")]
    let events = reading.events as f64;
    Ok(events / reading.seconds)
}

/// Lets the consumer crash after it has processed a full batch and before it commits that batch. Returns how many of its
/// events the next run gets again.
fn crash_and_go_on(
    stand: &Stand,
    group: &str,
    batch: u64,
    commit: Commit,
    plan: &Plan,
) -> Result<f64> {
    let seconds = match commit {
        // However long it runs, everything comes again. The worst moment is the end of the topic.
        Commit::None => f64::from(u16::MAX),
        Commit::Sync | Commit::Async => plan.seconds_to_crash,
    };
    let crashed = run(stand, group, batch, commit, End::Crashes(seconds))?;
    // The broker would otherwise keep the partitions for the dead member until its session times out.
    stand.kafka.remove_members(group)?;
    let next = crashed.next.iter().map(ToString::to_string);
    let again: Again = reported(stand.again().arg(group).args(next))?;
    #[expect(clippy::cast_precision_loss, reason = "it is at most ten million")]
    let events = again.events as f64;
    Ok(events)
}

fn run(stand: &Stand, group: &str, batch: u64, commit: Commit, end: End) -> Result<Reading> {
    let (seconds, end) = match end {
        End::AfterSeconds(seconds) => (seconds, "ends"),
        End::Crashes(seconds) => (seconds, "dies"),
    };
    reported(stand.consumer().args([
        group,
        &batch.to_string(),
        commit.name(),
        &stand.events.to_string(),
        &seconds.to_string(),
        end,
    ]))
}
