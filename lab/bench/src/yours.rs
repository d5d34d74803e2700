//! A student's own consumer beside the measured one. How fast it is can be seen from its committed offsets alone, so it may be
//! written in any language.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use broker::wait;
use common::ANALYTICS_SERVICE;
use judge::Program;
use judge::programs::run::BOOTSTRAP_SERVERS;
use judge::programs::{Version, build_optimized, target};
use serde::{Deserialize, Serialize};
use terminal::ProgressBar;

use crate::beside::executable;
use crate::consumer::{Commit, Run};
use crate::plan::Plan;
use crate::spread::{NO_ROUNDS, Spread};
use crate::stand::Stand;

/// The lab program that reads the clickstream.
const CONSUMER: &str = "consumer";

/// How long it may take until it commits first, and until it has left its group.
const LIMIT: Duration = Duration::from_secs(30);

/// If it commits nothing for this long, it has read everything.
const PATIENCE: Duration = Duration::from_secs(3);

/// The shortest time in which the speed of a program can be seen from its commits.
const LEAST_SECONDS: f64 = 2.0;

/// A consumer of the user's.
#[derive(Clone, Debug)]
pub struct Own {
    /// The executable.
    pub program: PathBuf,
    /// The batch size that the user says it has.
    pub batch: u64,
}

/// How fast the user's consumer is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Yours {
    pub batch: u64,
    pub events_per_second: Spread,
    /// The share of the speed that the measured consumer has with the same batch size and sync commits, in the same round.
    pub of_measured: Spread,
}

impl Own {
    /// The executable `program`; if `None`, the consumer of this workspace, which is built with optimization.
    ///
    /// # Errors
    /// [`Usage`](terminal::Usage) if there is no such file; or if the consumer does not compile.
    pub fn find(program: Option<&Path>, batch: u64) -> Result<Self> {
        let program = match program {
            Some(path) => executable(path)?,
            None => {
                let [own] = build_optimized(&[target(CONSUMER, Version::Own)])?;
                own
            }
        };
        Ok(Self { program, batch })
    }

    /// Measures the program, in turns with the measured consumer.
    ///
    /// # Errors
    /// If it ends or commits too rarely, or on Ctrl-C.
    pub fn measure(&self, stand: &Stand, plan: &Plan, bar: &ProgressBar) -> Result<Yours> {
        let [mut yours, mut measured] = [Vec::new(), Vec::new()];
        for round in 0..plan.rounds {
            let run = Run::new(self.batch, Commit::Sync, plan.seconds).with_default_pause();
            measured.push(run.speed(stand, &format!("beside-yours-{round}"))?);
            yours.push(self.speed(stand, plan.seconds.max(LEAST_SECONDS))?);
            bar.one_more();
        }
        Ok(Yours {
            batch: self.batch,
            events_per_second: Spread::of(yours.iter().copied()).context(NO_ROUNDS)?,
            of_measured: Spread::of_ratios(&yours, &measured).context(NO_ROUNDS)?,
        })
    }

    /// Returns how many events it commits per second, from its first commit on.
    fn speed(&self, stand: &Stand, seconds: f64) -> Result<f64> {
        stand.kafka.remove_members(ANALYTICS_SERVICE)?;
        stand.kafka.delete_group(ANALYTICS_SERVICE, LIMIT)?;
        // What it prints would fill our memory.
        let mut command = Command::new("sh");
        command
            .args(["-c", "exec \"$0\" > /dev/null"])
            .arg(&self.program)
            .env(BOOTSTRAP_SERVERS, stand.kafka.bootstrap());
        let mut program = Program::run("your consumer", &mut command)?;
        let committed = || -> Result<i64> {
            let commits = stand.kafka.commits(ANALYTICS_SERVICE, LIMIT)?;
            Ok(commits.values().sum())
        };
        let first = wait::up_to(LIMIT, || {
            if !program.is_running()? {
                bail!(
                    "your consumer ended before it had committed anything. Its last lines:\n{}",
                    program.last_lines()
                );
            }
            let sum = committed()?;
            Ok((sum > 0).then(|| (Instant::now(), sum)))
        })?;
        let first = first.with_context(|| {
            format!(
                "your consumer committed nothing within {} s. Does it commit each batch? `cargo lab check 2` says what is wrong",
                LIMIT.as_secs()
            )
        })?;
        let last = Cell::new(first);
        wait::while_it_changes(Duration::from_secs_f64(seconds), || {
            let sum = committed()?;
            if sum > last.get().1 {
                last.set((Instant::now(), sum));
            }
            Ok((sum, PATIENCE))
        })?;
        program.kill()?;
        let (from, to) = (first, last.get());
        if from.1 == to.1 {
            bail!(
                "your consumer committed only once in {seconds} s. Its speed can be seen only if it commits each batch"
            );
        }
        #[expect(clippy::cast_precision_loss, reason = "it is at most ten million")]
        let events = (to.1 - from.1) as f64;
        Ok(events / (to.0 - from.0).as_secs_f64())
    }
}
