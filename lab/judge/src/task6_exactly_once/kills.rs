//! Task 6: the scenario in which `exactly_once` is killed at every position of a transaction.

use std::fmt;
use std::ops::ControlFlow;

use anyhow::Result;

use crate::bench::gate::{Hold, Part, RequestKind};
use crate::bench::lane::{Lane, Scenario};
use crate::bench::sweep::{Attempt, BOTH, Kill, Swept, sweep};
use crate::data::events::{a_purchase_of_each_user, first_id};
use crate::task6_exactly_once::instance::{Awaited, Instance, Seen};
use crate::task6_exactly_once::runs::Tried;

/// The positions up to the moment at which a transaction is committed, and the one after it.
const BEFORE_END: &[(RequestKind, &[Part])] = &[
    (RequestKind::AddPartitionsToTxn, BOTH),
    (RequestKind::Produce, BOTH),
    (RequestKind::AddOffsetsToTxn, BOTH),
    (RequestKind::TxnOffsetCommit, BOTH),
    (RequestKind::EndTxn, &[Part::Request]),
];
const AFTER_END: &[(RequestKind, &[Part])] = &[(RequestKind::EndTxn, &[Part::Answer])];

/// Runs that are killed one after the other, each at another position.
pub struct Killed {
    pub swept: Swept,
    /// The kill after which readers saw a purchase twice or not at all, and what they saw.
    pub wrong: Option<(Kill, Seen)>,
}

impl Killed {
    /// Whether there was a kill, and readers saw each purchase once after every one.
    pub fn is_right(&self) -> bool {
        !self.swept.kills.is_empty() && self.wrong.is_none()
    }
}

/// `killed at 14 of 14 positions: each time, readers saw each purchase once`.
impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.wrong {
            None => write!(
                f,
                "{}: each time, readers saw each purchase once",
                self.swept
            ),
            Some((kill, seen)) => write!(f, "killed {kill}: {}", seen.as_text()),
        }
    }
}

/// The kills before a transaction is committed.
pub const KILLED_BEFORE_END: Scenario<Tried<Killed>> = Scenario {
    name: "killed before the end of a transaction",
    run: killed_before_end,
};

fn killed_before_end(lane: &Lane) -> Result<Tried<Killed>> {
    Tried::of(lane, || Kills::all(lane, BEFORE_END))
}

/// The kills after a transaction is committed, and before the program knows.
pub const KILLED_AFTER_END: Scenario<Tried<Killed>> = Scenario {
    name: "killed after the end of a transaction",
    run: killed_after_end,
};

fn killed_after_end(lane: &Lane) -> Result<Tried<Killed>> {
    Tried::of(lane, || Kills::all(lane, AFTER_END))
}

/// The kills so far.
struct Kills {
    awaited: Awaited,
    last: Option<Kill>,
    wrong: Option<(Kill, Seen)>,
}

impl Kills {
    fn all(lane: &Lane, positions: &[(RequestKind, &[Part])]) -> Result<Killed> {
        let mut kills = Self {
            awaited: Awaited::nothing(lane)?,
            last: None,
            wrong: None,
        };
        let swept = sweep(positions, |hold| kills.next(lane, hold))?;
        if kills.last.is_some() {
            kills.recover(lane)?.kill(lane)?;
        }
        Ok(Killed {
            swept,
            wrong: kills.wrong,
        })
    }

    /// Starts the next instance, and judges what it makes of the last kill.
    fn recover(&mut self, lane: &Lane) -> Result<Instance> {
        let mut run = Instance::start(lane)?;
        let seen = self.awaited.follow(lane, &mut run.program)?;
        if let Some(kill) = self.last.take().filter(|_| !seen.each_once()) {
            self.wrong = Some((kill, seen));
        }
        Ok(run)
    }

    fn next(&mut self, lane: &Lane, hold: &Hold) -> Result<Attempt> {
        let mut run = self.recover(lane)?;
        if self.wrong.is_some() {
            run.kill_and_fence(lane)?;
            return Ok(ControlFlow::Break(()));
        }
        lane.hold_at(*hold);
        self.awaited = Awaited::publish(lane, &a_purchase_of_each_user(first_id()))?;
        let is_there = || Ok(lane.is_holding());
        self.awaited
            .follow_until(lane, &mut run.program, is_there)?;
        self.last = lane.kill_at(&mut run.program, hold)?;
        run.kill_and_fence(lane)?;
        Ok(ControlFlow::Continue(self.last))
    }
}
