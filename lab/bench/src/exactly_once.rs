//! What exactly-once costs: the loop of task 6 with transactions, and the same loop that waits for its copies and then commits.

use std::path::Path;

use anyhow::{Context, Result};
use common::PURCHASES;
use measured::Reading;
use serde::{Deserialize, Serialize};
use terminal::ProgressBar;

use crate::consumer::{PAUSE, SHORT_PAUSE, events_per_second};
use crate::plan::Plan;
use crate::rounds::in_turns;
use crate::spread::{NO_ROUNDS, Spread};
use crate::stand::{Stand, reported};

/// The batch sizes, each with one transaction per batch.
const BATCHES: [u64; 4] = [1, 10, 100, 1_000];

/// Without transactions, and with them, as arguments of the measured program.
const WAYS: [&str; 2] = ["flush", "transactions"];

/// How fast batches of one size are copied.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Copied {
    pub batch: u64,
    /// Events read per second, without and with transactions.
    pub flush: Spread,
    pub transactions: Spread,
    /// How much of the speed is left with transactions, in the same round.
    pub of_flush: Spread,
}

/// How many steps of the bar [`measure`] takes.
pub fn steps(plan: &Plan) -> usize {
    BATCHES.len() * WAYS.len() * plan.rounds
}

/// Measures all batch sizes in both ways, in turns. `program` is the measured copier.
///
/// # Errors
/// If the program fails, or on Ctrl-C.
pub fn measure(
    stand: &Stand,
    plan: &Plan,
    program: &Path,
    bar: &ProgressBar,
) -> Result<Vec<Copied>> {
    stand
        .kafka
        .create_topics(&[(PURCHASES, Stand::PARTITIONS)])?;
    let choices: Vec<(u64, &str)> = BATCHES
        .iter()
        .flat_map(|batch| WAYS.map(|way| (*batch, way)))
        .collect();
    let speeds = in_turns("copy", &choices, plan.rounds, bar, |(batch, way), group| {
        let reading: Reading = reported(stand.command(program).args([
            group,
            &batch.to_string(),
            way,
            &stand.events.to_string(),
            &plan.seconds.to_string(),
            &format!("{PAUSE}={SHORT_PAUSE}"),
        ]))?;
        Ok(events_per_second(&reading))
    })?;
    let copied = BATCHES
        .iter()
        .zip(speeds.chunks(WAYS.len()))
        .map(|(batch, of_batch)| {
            let [flush, transactions] = of_batch else {
                return None;
            };
            Some(Copied {
                batch: *batch,
                flush: Spread::of(flush.iter().copied())?,
                transactions: Spread::of(transactions.iter().copied())?,
                of_flush: Spread::of_ratios(transactions, flush)?,
            })
        });
    copied.collect::<Option<_>>().context(NO_ROUNDS)
}
