//! Where the time of a thread goes: for what it waits, and how much is left for everything else.
//!
//! A thread counts each moment exactly once. [`count_as`] says what it waits for from now on, and [`lap`] returns what has been
//! counted so far. This costs two looks at the clock for each wait.

use std::cell::Cell;
use std::marker::PhantomData;
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
    what: Waiting,
    /// The time since then has not been counted yet.
    since: Instant,
}

impl Count {
    fn begin(now: Instant) -> Self {
        Self {
            spent: Spent::default(),
            what: Waiting::Other,
            since: now,
        }
    }

    /// Counts the time until now. The time from now on is for `what`.
    fn switch(&mut self, now: Instant, what: Waiting) {
        self.spent.add(self.what, now - self.since);
        self.since = now;
        self.what = what;
    }

    fn lap(&mut self, now: Instant) -> Spent {
        self.switch(now, self.what);
        std::mem::take(&mut self.spent)
    }
}

thread_local! {
    static COUNT: Cell<Count> = Cell::new(Count::begin(Instant::now()));
}

/// While this exists, a thread counts its time as one kind of waiting.
#[must_use = "time is counted until this is dropped"]
pub struct Counting {
    before: Waiting,
    /// It must be dropped by the thread whose time it counts.
    of_this_thread: PhantomData<*const ()>,
}

/// Counts the time of this thread as `what`, until the returned value is dropped. If the thread already counts something more
/// specific, it goes on with that.
pub fn count_as(what: Waiting) -> Counting {
    let mut count = COUNT.get();
    let before = count.what;
    count.switch(Instant::now(), before.max(what));
    COUNT.set(count);
    Counting {
        before,
        of_this_thread: PhantomData,
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        let mut count = COUNT.get();
        count.switch(Instant::now(), self.before);
        COUNT.set(count);
    }
}

/// How this thread has spent its time since its last lap. All of this time is in it, so laps add up to the time by the clock. A
/// thread's first lap begins when the thread first counts anything.
pub fn lap() -> Spent {
    let mut count = COUNT.get();
    let spent = count.lap(Instant::now());
    COUNT.set(count);
    spent
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn each_moment_is_counted_once() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut count = Count::begin(start);
        count.switch(after(1), Waiting::Program);
        count.switch(after(3), Waiting::Kafka);
        count.switch(after(7), Waiting::Program);
        count.switch(after(15), Waiting::Other);
        let spent = count.lap(after(31));
        let seconds = Waiting::ALL.map(|what| spent.on(what).as_secs());
        assert_eq!(seconds, [1 + 16, 2 + 8, 4, 0, 0, 0]);
        assert_eq!(spent.total(), Duration::from_secs(31));
    }

    #[test]
    fn laps_add_up() {
        let start = Instant::now();
        let mut count = Count::begin(start);
        count.switch(start, Waiting::Kafka);
        let mut all = Spent::default();
        for seconds in [2, 3, 7] {
            all += count.lap(start + Duration::from_secs(seconds));
        }
        assert_eq!(all.on(Waiting::Kafka), Duration::from_secs(7));
        assert_eq!(all.total(), Duration::from_secs(7));
    }

    #[test]
    fn a_thread_counts_all_of_its_time() {
        lap();
        let first = COUNT.get().since;
        {
            let _program = count_as(Waiting::Program);
            let _kafka = count_as(Waiting::Kafka);
        }
        let spent = lap();
        assert_eq!(spent.total(), COUNT.get().since - first);
    }

    #[test]
    fn the_more_specific_wait_counts() {
        let current = || COUNT.get().what;
        let _kafka = count_as(Waiting::Kafka);
        {
            let _program = count_as(Waiting::Program);
            assert_eq!(current(), Waiting::Kafka);
            let _broker = count_as(Waiting::Broker);
            assert_eq!(current(), Waiting::Broker);
        }
        assert_eq!(current(), Waiting::Kafka);
    }

    #[test]
    fn a_panic_ends_the_wait() {
        let panicked = catch_unwind(|| {
            let _kafka = count_as(Waiting::Kafka);
            panic!("what a program left");
        });
        assert!(panicked.is_err());
        assert_eq!(COUNT.get().what, Waiting::Other);
    }
}
