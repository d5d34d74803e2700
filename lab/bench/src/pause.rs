//! The pause: librdkafka fetches ahead. When it has `queued.min.messages` (100,000) of a partition, it fetches no more from
//! that partition for `fetch.queue.backoff.ms` (1,000). A fast consumer has processed them long before that, and waits.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use terminal::ProgressBar;

use crate::consumer::{Commit, DEFAULT_PAUSE, Run, SHORT_PAUSE};
use crate::plan::Plan;
use crate::rounds::in_turns;
use crate::spread::{NO_ROUNDS, Spread};
use crate::stand::Stand;

const BATCH: u64 = 1_000;
const COMMITS: [Commit; 2] = [Commit::Sync, Commit::None];

/// The default, and two shorter pauses, in milliseconds.
const PAUSES: [u32; 3] = [DEFAULT_PAUSE, 100, SHORT_PAUSE];

/// Batches of 1,000 with one way to commit, and one length of the pause.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Paused {
    pub commit: Commit,
    /// The value of `fetch.queue.backoff.ms`.
    pub milliseconds: u32,
    pub events_per_second: Spread,
    /// How many times as fast as with the default pause, in the same round.
    pub times_the_default: Spread,
}

/// How many steps of the bar [`measure`] takes.
pub fn steps(plan: &Plan) -> usize {
    COMMITS.len() * PAUSES.len() * rounds(plan)
}

/// A topic that fits into librdkafka's queue shows no pause.
fn rounds(plan: &Plan) -> usize {
    if plan.events < 1_000_000 {
        0
    } else {
        plan.rounds
    }
}

/// Measures both ways to commit with each pause, in turns. Returns nothing if the plan has too few events.
///
/// # Errors
/// If a measured program fails, or on Ctrl-C.
pub fn measure(stand: &Stand, plan: &Plan, bar: &ProgressBar) -> Result<Vec<Paused>> {
    let choices: Vec<(Commit, u32)> = COMMITS
        .iter()
        .flat_map(|commit| PAUSES.map(|pause| (*commit, pause)))
        .collect();
    let speeds = in_turns("pause", &choices, rounds(plan), bar, |choice, group| {
        let run = Run::new(BATCH, choice.0, plan.seconds).with_pause(choice.1);
        run.speed(stand, group)
    })?;
    if rounds(plan) == 0 {
        return Ok(Vec::new());
    }
    let measured = choices.iter().enumerate().map(|(at, (commit, pause))| {
        let default = choices
            .iter()
            .position(|other| *other == (*commit, PAUSES[0]))?;
        Some(Paused {
            commit: *commit,
            milliseconds: *pause,
            events_per_second: Spread::of(speeds[at].iter().copied())?,
            times_the_default: Spread::of_ratios(&speeds[at], &speeds[default])?,
        })
    });
    measured.collect::<Option<_>>().context(NO_ROUNDS)
}
