//! The broker's clock, which may differ from ours: after a laptop has slept, for example, the clock of Docker's virtual machine is
//! behind.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use broker::{Broker, wait};
use cluster::Kafka;

/// A smaller difference may only be the time that an answer takes.
const NEGLIGIBLE: Duration = Duration::from_millis(250);

/// How many times a difference is measured. On a busy machine, an answer may take long once.
const TRIES: usize = 3;

/// How long the broker may take to log a request that it has answered.
const LOG_LIMIT: Duration = Duration::from_secs(10);

/// How the broker logs what we ask it in order to measure.
const QUESTION: &str = "\"METADATA\"";

/// How far the broker's clock is from ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    behind: Duration,
    ahead: Duration,
}

impl Clock {
    /// The clock of this broker. What it logs from the position `from` on is read.
    ///
    /// # Errors
    /// When the broker does not answer, or does not log it, or on Ctrl-C.
    pub fn of(broker: &Broker, kafka: &Kafka, mut from: usize) -> Result<Self> {
        let mut nearest = None;
        for _ in 0..TRIES {
            from = broker.requests(from, |_| false)?.1;
            kafka.topics()?;
            let here = SystemTime::now();
            let there = wait::until("Kafka to log a request", LOG_LIMIT, || {
                let (requests, _) = broker.requests(from, |line| line.contains(QUESTION))?;
                Ok(requests.last().map(|request| request.at))
            })?;
            let clock = Self::between(here, there);
            if clock == Self::default() {
                return Ok(clock);
            }
            // The time that the answer takes makes our time later than it was, and never earlier.
            let found = nearest.get_or_insert(clock);
            if clock.ours(there) < found.ours(there) {
                *found = clock;
            }
        }
        nearest.context("the broker's clock was not measured")
    }

    /// The clock that shows `there` when ours shows `here`.
    fn between(here: SystemTime, there: SystemTime) -> Self {
        let behind = here.duration_since(there).unwrap_or_default();
        let ahead = there.duration_since(here).unwrap_or_default();
        if behind.max(ahead) < NEGLIGIBLE {
            return Self::default();
        }
        Self { behind, ahead }
    }

    /// What our clock showed when the broker's clock showed this time.
    pub fn ours(self, theirs: SystemTime) -> SystemTime {
        theirs + self.behind - self.ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_clock_that_differs_become_ours() {
        let here = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let minutes = Duration::from_secs(600);
        for there in [here - minutes, here + minutes] {
            assert_eq!(Clock::between(here, there).ours(there), here);
        }
        let a_moment_ago = here - Duration::from_millis(5);
        assert_eq!(Clock::between(here, a_moment_ago), Clock::default());
    }
}
