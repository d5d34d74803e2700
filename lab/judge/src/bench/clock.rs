//! The broker's clock, which may differ from ours: after a laptop has slept, for example, the clock of Docker's virtual machine is
//! behind.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use broker::{Broker, wait};
use cluster::Kafka;

/// A smaller difference changes no verdict.
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
        let mut shortest = None;
        for _ in 0..TRIES {
            from = broker.requests(from, |_| false)?.1;
            let before = SystemTime::now();
            kafka.topics()?;
            let there = wait::until("Kafka to log a request", LOG_LIMIT, || {
                let (requests, _) = broker.requests(from, |line| line.contains(QUESTION))?;
                Ok(requests.last().map(|request| request.at))
            })?;
            let after = SystemTime::now();
            let clock = Self::between(before, there, after);
            if clock == Self::default() {
                return Ok(clock);
            }
            let took = after.duration_since(before).unwrap_or_default();
            if shortest.is_none_or(|(shortest, _)| took < shortest) {
                shortest = Some((took, clock));
            }
        }
        let (_, clock) = shortest.context("the broker's clock was not measured")?;
        Ok(clock)
    }

    /// The clock that showed `there` at some time between two times of ours. If all three can belong to one clock, it is ours:
    /// however long an answer takes on a busy machine, it makes no difference.
    fn between(before: SystemTime, there: SystemTime, after: SystemTime) -> Self {
        let behind = before.duration_since(there).unwrap_or_default();
        let ahead = there.duration_since(after).unwrap_or_default();
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
        let before = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let after = before + Duration::from_millis(20);
        let minutes = Duration::from_secs(600);
        let behind = Clock::between(before, before - minutes, after);
        assert_eq!(behind.ours(before - minutes), before);
        let ahead = Clock::between(before, after + minutes, after);
        assert_eq!(ahead.ours(after + minutes), after);
    }

    #[test]
    fn a_slow_answer_is_no_difference() {
        let before = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let after = before + Duration::from_secs(3);
        for there in [before, before + Duration::from_secs(1), after] {
            assert_eq!(Clock::between(before, there, after), Clock::default());
        }
        let rounded = before - Duration::from_millis(1);
        assert_eq!(Clock::between(before, rounded, after), Clock::default());
    }
}
