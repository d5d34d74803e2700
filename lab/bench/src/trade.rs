//! The trade: batches of several sizes, committed in three ways. How many events a second does the consumer process, and how
//! many come again if it crashes at the worst moment?

use anyhow::{Context, Result};
use measured::Again;
use serde::{Deserialize, Serialize};
use terminal::ProgressBar;

use crate::consumer::{Commit, Run};
use crate::plan::Plan;
use crate::rounds::in_turns;
use crate::spread::{NO_ROUNDS, Spread};
use crate::stand::{Stand, reported};

/// The batch sizes.
const BATCHES: [u64; 6] = [1, 10, 20, 100, 1_000, 10_000];

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

/// Measures all choices, in turns.
///
/// # Errors
/// If a measured program fails, or on Ctrl-C.
pub fn measure(stand: &Stand, plan: &Plan, bar: &ProgressBar) -> Result<Vec<Choice>> {
    let choices: Vec<(u64, Commit)> = BATCHES
        .iter()
        .flat_map(|batch| Commit::ALL.map(|commit| (*batch, commit)))
        .collect();
    let speeds = in_turns("speed", &choices, plan.rounds, bar, |choice, group| {
        Run::new(choice.0, choice.1, plan.seconds).speed(stand, group)
    })?;
    let again = in_turns("crash", &choices, plan.crashes, bar, |choice, group| {
        crash_and_go_on(stand, group, choice.0, choice.1, plan)
    })?;
    let measured = choices.iter().enumerate().map(|(at, (batch, commit))| {
        let without = choices
            .iter()
            .position(|other| *other == (*batch, Commit::None))?;
        Some(Choice {
            batch: *batch,
            commit: *commit,
            events_per_second: Spread::of(speeds[at].iter().copied())?,
            of_no_commit: Spread::of_ratios(&speeds[at], &speeds[without])?,
            again: Spread::of(again[at].iter().copied())?,
        })
    });
    measured.collect::<Option<_>>().context(NO_ROUNDS)
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
    let crashed = Run::new(batch, commit, seconds).crash(stand, group)?;
    // The broker would otherwise keep the partitions for the dead member until its session times out.
    stand.kafka.remove_members(group)?;
    let next = crashed.next.iter().map(ToString::to_string);
    let again: Again = reported(stand.again().arg(group).args(next))?;
    #[expect(clippy::cast_precision_loss, reason = "it is at most ten million")]
    let events = again.events as f64;
    Ok(events)
}
