//! Where the time of a thread goes: for what it waits, and how much is left for everything else.
//!
//! A thread counts each moment exactly once. [`count_as`] says what it waits for from now on, and [`lap`] returns what has been
//! counted so far. This costs two looks at the clock for each wait.

use std::cell::Cell;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

/// What a thread waits for.
///
/// Later variants are more specific. If one wait is part of another one, the more specific of the two counts: a request to Kafka
/// counts as `Kafka` while we wait for a program, but as `Broker` while a broker is being emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waiting {
    /// For nothing in particular. Most of this is our own computing.
    Other,
    /// For a program to start, print, commit or end.
    Program,
    /// For the cluster: for its answers to our requests, and for what it does a little later.
    Kafka,
    /// For a fixed time to pass in which something must not happen, or for which something is held back.
    Check,
    /// For a broker to start, or to be emptied for its next use.
    Broker,
    /// For Cargo.
    Build,
}

impl Waiting {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [
        Self::Other,
        Self::Program,
        Self::Kafka,
        Self::Check,
        Self::Broker,
        Self::Build,
    ];
}

/// How much time was spent on each kind of waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent([Duration; Waiting::ALL.len()]);

impl Spent {
    /// No time at all.
    const NOTHING: Self = Self([Duration::ZERO; Waiting::ALL.len()]);

    /// The time that was spent on this.
    pub fn on(&self, what: Waiting) -> Duration {
        self.0[what as usize]
    }

    /// The time that was spent on anything.
    pub fn total(&self) -> Duration {
        self.0.iter().sum()
    }

    /// Adds time that was spent on this.
    pub fn add(&mut self, what: Waiting, time: Duration) {
        self.0[what as usize] += time;
    }
}

impl AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        for what in Waiting::ALL {
            self.add(what, other.on(what));
        }
    }
}

/// What a thread has counted since its last lap.
#[derive(Clone, Copy)]
struct Count {
    spent: Spent,
    /// What it waits for now, and since when this has not been counted yet.
    what: Waiting,
    since: Instant,
}

thread_local! {
    static COUNT: Cell<Count> = Cell::new(Count {
        spent: Spent::NOTHING,
        what: Waiting::Other,
        since: Instant::now(),
    });
}

/// Counts the time until now. From now on, the thread waits for `what`.
fn switch(what: impl FnOnce(Waiting) -> Waiting) -> Count {
    let mut count = COUNT.get();
    let now = Instant::now();
    count.spent.add(count.what, now - count.since);
    count.since = now;
    count.what = what(count.what);
    COUNT.set(count);
    count
}

/// While this exists, a thread counts its time as one kind of waiting.
#[must_use = "time is counted until this is dropped"]
pub struct Counting {
    before: Waiting,
}

/// Counts the time of this thread as `what`, until the returned value is dropped. If the thread already counts something more
/// specific, it goes on with that.
pub fn count_as(what: Waiting) -> Counting {
    let before = COUNT.get().what;
    switch(|now| now.max(what));
    Counting { before }
}

impl Drop for Counting {
    fn drop(&mut self) {
        switch(|_| self.before);
    }
}

/// How this thread has spent its time since the last lap. All of this time is in it, so laps add up to the time by the clock.
/// The first lap of a thread begins when it first counts anything.
pub fn lap() -> Spent {
    let mut count = switch(|now| now);
    let spent = std::mem::take(&mut count.spent);
    COUNT.set(count);
    spent
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;
    use std::thread::sleep;

    use super::*;

    const STEP: Duration = Duration::from_millis(20);

    /// What is spent on each kind, as a number of steps. Sleeping takes longer than asked for on a busy machine, so each kind is
    /// given its own number of steps, and only the lower bound is sure.
    fn ensure_spent(spent: Spent, steps: [(Waiting, u32); 2]) {
        for (what, steps) in steps {
            assert!(spent.on(what) >= STEP * steps, "{what:?}: {spent:?}");
        }
        for what in Waiting::ALL {
            if steps.iter().all(|(expected, _)| *expected != what) {
                assert!(spent.on(what) < STEP, "{what:?}: {spent:?}");
            }
        }
    }

    #[test]
    fn each_moment_is_counted_once() {
        lap();
        let begun = Instant::now();
        {
            let _program = count_as(Waiting::Program);
            sleep(STEP);
            {
                let _kafka = count_as(Waiting::Kafka);
                sleep(STEP * 2);
            }
            sleep(STEP);
        }
        let least = begun.elapsed();
        let spent = lap();
        let most = begun.elapsed();
        ensure_spent(spent, [(Waiting::Program, 2), (Waiting::Kafka, 2)]);
        // The first lap ended just before `begun`.
        assert!(spent.total() >= least, "{spent:?} of {least:?}");
        assert!(spent.total() < most + STEP, "{spent:?} of {most:?}");
    }

    #[test]
    fn the_more_specific_wait_counts() {
        lap();
        {
            let _broker = count_as(Waiting::Broker);
            let _kafka = count_as(Waiting::Kafka);
            let _program = count_as(Waiting::Program);
            sleep(STEP);
        }
        sleep(STEP);
        ensure_spent(lap(), [(Waiting::Broker, 1), (Waiting::Other, 1)]);
    }

    #[test]
    fn laps_add_up() {
        lap();
        let begun = Instant::now();
        let mut all = Spent::default();
        for what in Waiting::ALL {
            let _counting = count_as(what);
            sleep(STEP / 4);
            all += lap();
        }
        all += lap();
        let difference = begun.elapsed().abs_diff(all.total());
        assert!(difference < STEP, "{difference:?}");
    }

    #[test]
    fn a_panic_ends_the_wait() {
        lap();
        let panicked = catch_unwind(|| {
            let _kafka = count_as(Waiting::Kafka);
            panic!("what a program left");
        });
        assert!(panicked.is_err());
        lap();
        sleep(STEP);
        ensure_spent(lap(), [(Waiting::Other, 1), (Waiting::Other, 1)]);
    }
}
