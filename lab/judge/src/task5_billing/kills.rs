//! Task 5: runs of billing that are killed, at chosen instants and at random ones.

use std::time::{Duration, Instant};

use anyhow::Result;
use broker::wait;
use common::{PAYMENTS, Payment};
use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::Program;
use crate::bench::fetches::{fetches, handed_out};
use crate::bench::gate::Request;
use crate::bench::lane::Lane;
use crate::task5_billing::charges::Bill;
use crate::task5_billing::desk::{BATCH, Desk, LOCK_LIMIT, Look};
use crate::task5_billing::rows::{charges, is_between};
use crate::task5_billing::runs::reopen;

/// So many payments at a time where a program is to have work left when it is killed.
const MANY: u64 = 20 * BATCH;

/// How long a program that cannot go on may take to get its batch. Less than the 5 s after which SQLite tells it so: who then
/// logs the error and goes on is another check's affair.
const LOCKED: Duration = Duration::from_secs(3);

/// How long a single transaction may take to be seen, and the stepping through one batch.
const STEP_LIMIT: Duration = Duration::from_millis(300);
const STEPS_LIMIT: Duration = Duration::from_secs(3);

/// Kills come at most so long after a program owns its partitions. The first payments come some 100 ms after that, and a
/// batch of them is charged in about ten.
const RANDOM_KILL: Duration = Duration::from_millis(250);

/// All kills together take no longer than this, also of a program that hardly comes to work.
const KILLS_LIMIT: Duration = Duration::from_secs(60);

/// Kills at random instants.
const RANDOM_KILLS: usize = 20;

/// Runs that were killed at chosen and at random instants, and one that was not.
pub struct Survived {
    /// How often it was killed at a chosen instant, and at a random one.
    pub chosen: usize,
    pub random: usize,
    pub payments: usize,
    pub look: Look,
    pub bill: Bill,
    pub last_lines: String,
}

/// Where a kill comes.
#[derive(Clone, Copy, Debug)]
enum Instants {
    /// A commit has not come to the broker.
    CommitHeld,
    /// It has a batch, wants to write, and cannot.
    Locked,
    /// Between two transactions: after one has been written that the next belongs to, or else after some of a batch.
    Between,
    /// In the first print of a batch.
    Stalled,
}

pub fn survived(lane: &Lane) -> Result<Survived> {
    survived_kills(lane, RANDOM_KILLS)
}

/// As [`survived`], with so many kills at random instants, and a batch of payments for each.
pub fn survived_kills(lane: &Lane, random_kills: usize) -> Result<Survived> {
    use Instants::{Between, CommitHeld, Locked, Stalled};
    let mut desk = reopen(lane)?;
    let start = Instant::now();
    let (mut chosen, mut random) = (0, 0);
    let limit = KILLS_LIMIT * u32::try_from(random_kills.div_ceil(RANDOM_KILLS))?;
    // Before the first one there is no database yet.
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
    // However far the runs came: something comes again that is charged already, or about to be.
    let again: Vec<_> = desk.payments.sample(&mut rng, 10).cloned().collect();
    desk.publish_again(&again, Some(rng.random_range(0..3)))?;
    let mut program = lane.start("billing")?;
    let look = desk.finish(&mut program)?;
    let last_lines = program.last_lines();
    desk.kill(program)?;
    Ok(Survived {
        chosen,
        random,
        payments: desk.payments.len(),
        bill: desk.bill(&look),
        look,
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
                lane.hold(Request::OffsetCommit);
                let mut program = lane.start("billing")?;
                self.wait_until_held(&mut program)?;
                self.kill(program)?;
                lane.turn_away();
            }
            Instants::Locked => {
                let mut program = self.start_and_join()?;
                let lock = lane.database()?.lock(LOCK_LIMIT)?;
                lane.note("nobody can write to the database");
                let fetches = fetches(lane)?;
                self.publish(BATCH, None)?;
                let ends = lane.kafka().ends(PAYMENTS)?;
                let limit = LOCKED.min(self.join_limit());
                program.until(limit, || handed_out(lane, fetches, &ends))?;
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
                let fetches = fetches(lane)?;
                self.publish(BATCH, None)?;
                let ends = lane.kafka().ends(PAYMENTS)?;
                let limit = LOCKED.min(self.join_limit());
                program.until(limit, || handed_out(lane, fetches, &ends))?;
                self.kill(program)?;
            }
        }
        Ok(())
    }

    /// Lets the program write one transaction or a few at a time, until what it has written does not belong together, or all
    /// of the batch is there. Returns while it is stopped there, or about to go on.
    fn step(&self, program: &mut Program, batch: &[Payment]) -> Result<()> {
        let database = self.lane.database()?;
        let end = Instant::now() + STEPS_LIMIT;
        while Instant::now() < end && program.is_running()? {
            database.wait_for_a_write(STEP_LIMIT)?;
            let lock = database.lock(LOCK_LIMIT)?;
            if is_between(database, batch) || charges(database).have_all(batch) {
                // It is killed with the lock still there.
                program.kill_if_running()?;
                drop(lock);
                return Ok(());
            }
        }
        Ok(())
    }
}
