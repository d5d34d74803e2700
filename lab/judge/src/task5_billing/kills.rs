//! Task 5: the scenario in which billing is killed many times, at chosen instants and at random ones.

use std::time::{Duration, Instant};

use anyhow::Result;
use broker::wait;
use common::{PAYMENTS, Payment};
use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::Program;
use crate::bench::fetches::{fetches, handed_out};
use crate::bench::gate::RequestKind;
use crate::bench::lane::{Lane, Scenario};
use crate::task5_billing::charges::Bill;
use crate::task5_billing::desk::{BATCH, Desk, LOCK_LIMIT, Snapshot};
use crate::task5_billing::rows::{charges, is_between};
use crate::task5_billing::runs::reopen;

/// How many payments are published at a time, so that a program still has work when it is killed.
const MANY: u64 = 20 * BATCH;

/// How long a blocked program may take to get its batch. Less than the 5 s after which SQLite gives up: another check judges a
/// program that logs that error and goes on.
const LOCKED: Duration = Duration::from_secs(3);

/// How long to wait for one transaction, and how long stepping through a batch may take.
const STEP_LIMIT: Duration = Duration::from_millis(300);
const STEPS_LIMIT: Duration = Duration::from_secs(3);

/// The latest instant of a random kill, after the program owns its partitions. The first payments come about 100 ms after
/// that, and a batch is charged in about 10 ms.
const RANDOM_KILL: Duration = Duration::from_millis(250);

/// All kills together take no longer than this, even if the program hardly does any work.
const KILLS_LIMIT: Duration = Duration::from_secs(60);

/// Kills at random instants.
const RANDOM_KILLS: usize = 20;

/// Runs that are killed at chosen and at random instants, and one that is not.
pub struct Survived {
    /// How many times it was killed at a chosen instant, and at a random one.
    pub chosen: usize,
    pub random: usize,
    pub payments: usize,
    pub snapshot: Snapshot,
    pub bill: Bill,
    pub last_lines: String,
}

/// When a kill comes.
#[derive(Clone, Copy, Debug)]
enum Instants {
    /// A commit was sent, and has not reached the broker.
    CommitHeld,
    /// It has a batch, and cannot write because the database is locked.
    Locked,
    /// Between two transactions that belong together; or else after some payments of a batch.
    Between,
    /// In the first print of a batch.
    Stalled,
}

pub const SURVIVED: Scenario<Survived> = Scenario {
    name: "survived",
    run: survived,
};

fn survived(lane: &Lane) -> Result<Survived> {
    survived_kills(lane, RANDOM_KILLS)
}

/// As the scenario, with this many kills at random instants, and a batch of payments for each.
pub fn survived_kills(lane: &Lane, random_kills: usize) -> Result<Survived> {
    use Instants::{Between, CommitHeld, Locked, Stalled};
    let mut desk = reopen(lane)?;
    let start = Instant::now();
    let (mut chosen, mut random) = (0, 0);
    let limit = KILLS_LIMIT * u32::try_from(random_kills.div_ceil(RANDOM_KILLS))?;
    // There is no database before the first kill.
    for instant in [
        CommitHeld, Between, Locked, Between, Stalled, Between, Locked, CommitHeld,
    ] {
        if start.elapsed() < limit {
            desk.kill_at(instant)?;
            chosen += 1;
        }
    }
    let mut rng = rand::rng();
    while random < random_kills && start.elapsed() < limit {
        if charges(lane.database()?).have_all(&desk.payments) {
            let new = desk.publish(MANY, None)?;
            let again: Vec<_> = new.sample(&mut rng, 10).cloned().collect();
            desk.publish_again(&again, Some(rng.random_range(0..3)))?;
        }
        let program = desk.start_and_join()?;
        wait::pass(RANDOM_KILL.mul_f64(rng.random()))?;
        desk.kill(program)?;
        random += 1;
    }
    // However far the runs have come, payments come again that are charged already, or that still have to be.
    let again: Vec<_> = desk.payments.sample(&mut rng, 10).cloned().collect();
    desk.publish_again(&again, Some(rng.random_range(0..3)))?;
    let mut program = lane.start("billing")?;
    let snapshot = desk.finish(&mut program)?;
    let last_lines = program.last_lines();
    desk.kill(program)?;
    Ok(Survived {
        chosen,
        random,
        payments: desk.payments.len(),
        bill: desk.bill(&snapshot),
        snapshot,
        last_lines,
    })
}

impl Desk<'_, '_> {
    /// Publishes a batch, and kills the program at this instant.
    fn kill_at(&mut self, instant: Instants) -> Result<()> {
        let lane = self.lane;
        match instant {
            Instants::CommitHeld => {
                self.publish(BATCH, None)?;
                lane.hold(RequestKind::OffsetCommit);
                let mut program = lane.start("billing")?;
                self.wait_until_held(&mut program)?;
                self.kill(program)?;
                lane.turn_away();
            }
            Instants::Locked => {
                let mut program = self.start_and_join()?;
                let lock = lane.database()?.lock(LOCK_LIMIT)?;
                lane.note("nobody can write to the database");
                self.hand_out_a_batch(&mut program)?;
                self.kill(program)?;
                drop(lock);
            }
            Instants::Between => {
                let mut program = self.start_and_join()?;
                let lock = lane.database()?.lock(LOCK_LIMIT)?;
                let batch = self.publish(BATCH, None)?;
                drop(lock);
                self.step(&mut program, &batch)?;
                self.kill(program)?;
            }
            Instants::Stalled => {
                let mut program = lane.start_to_stall("billing")?;
                self.wait_until_joined(&mut program)?;
                lane.stall(&mut program)?;
                self.hand_out_a_batch(&mut program)?;
                self.kill(program)?;
            }
        }
        Ok(())
    }

    /// Publishes a batch, and waits until the program has received it.
    fn hand_out_a_batch(&mut self, program: &mut Program) -> Result<()> {
        let lane = self.lane;
        let fetches = fetches(lane)?;
        self.publish(BATCH, None)?;
        let ends = lane.kafka().ends(PAYMENTS)?;
        let limit = LOCKED.min(self.join_limit());
        program.until(limit, || handed_out(lane, fetches, &ends))?;
        Ok(())
    }

    /// Lets the program write one transaction or a few at a time, until it is between two that belong together, or the whole
    /// batch is charged. There it is killed, while it cannot write.
    fn step(&self, program: &mut Program, batch: &[Payment]) -> Result<()> {
        let database = self.lane.database()?;
        program.give_way();
        wait::closely(STEPS_LIMIT, || {
            if !program.is_running()? {
                return Ok(Some(()));
            }
            database.wait_for_a_write(STEP_LIMIT)?;
            // With a write-ahead log, the database can be read wherever the program is, so the program is paused there.
            // Otherwise, it must not be in the middle of a transaction.
            let has_log = database.has_log();
            let lock = if has_log {
                program.pause()?;
                None
            } else {
                database.lock(LOCK_LIMIT)?
            };
            let is_there = is_between(database, batch) || charges(database).have_all(batch);
            if is_there {
                program.kill_if_running()?;
            } else if has_log {
                program.resume()?;
            }
            drop(lock);
            Ok(is_there.then_some(()))
        })?;
        Ok(())
    }
}
