//! A sweep: a program is killed at each position of its work on the wire, one after the other. A position lies before a request
//! reaches the broker, or after the broker has answered it and before the program knows.
//!
//! Clients send some requests side by side, so their order differs from one batch to the next. Positions are therefore counted
//! for each kind of request on its own.

use std::fmt;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::bench::gate::{Hold, Part, RequestKind};

/// A program that makes more requests of one kind for a batch is killed only at the first of them.
const MOST: usize = 4;

/// After this time, a slow program is killed no more.
const LIMIT: Duration = Duration::from_secs(120);

/// Both sides of a request.
pub const BOTH: &[Part] = &[Part::Request, Part::Answer];

/// A kill at one position.
#[derive(Clone, Copy, Debug)]
pub struct Kill {
    /// Which request it was: its kind, and its number among those of its kind in the batch, counted from 1.
    pub kind: RequestKind,
    pub number: usize,
    pub part: Part,
}

/// The kills of a sweep.
#[derive(Clone, Debug, Default)]
pub struct Swept {
    pub kills: Vec<Kill>,
    /// Whether there were no more positions.
    pub is_whole: bool,
}

/// What came of a position: the kill; `None` if the program had done its work, and the position did not come; or a break if
/// something is wrong already, and no more kills are wanted.
pub type Attempt = ControlFlow<(), Option<Kill>>;

/// Calls `kill_at` with one position after the other, and tells it what to hold back.
///
/// # Errors
/// Those of `kill_at`.
pub fn sweep(
    positions: &[(RequestKind, &[Part])],
    mut kill_at: impl FnMut(&Hold) -> Result<Attempt>,
) -> Result<Swept> {
    let start = Instant::now();
    let mut swept = Swept {
        kills: Vec::new(),
        is_whole: true,
    };
    for (kind, parts) in positions {
        'kind: for after in 0.. {
            for part in *parts {
                if after == MOST || start.elapsed() > LIMIT {
                    swept.is_whole = false;
                    break 'kind;
                }
                let hold = Hold {
                    kind: *kind,
                    after,
                    part: *part,
                    alone: false,
                };
                match kill_at(&hold)? {
                    ControlFlow::Continue(Some(kill)) => swept.kills.push(kill),
                    ControlFlow::Continue(None) => break 'kind,
                    ControlFlow::Break(()) => {
                        swept.is_whole = false;
                        return Ok(swept);
                    }
                }
            }
        }
    }
    Ok(swept)
}

impl Kill {
    /// The kill of a program while this is held back.
    pub fn at(hold: &Hold) -> Self {
        Self {
            kind: hold.kind,
            number: hold.after + 1,
            part: hold.part,
        }
    }
}

/// `before its OffsetCommit 1 reached the broker`.
impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, number) = (self.kind.name(), self.number);
        match self.part {
            Part::Request => write!(f, "before its {kind} {number} reached the broker"),
            Part::Answer => write!(
                f,
                "after the broker had done its {kind} {number}, and before the answer came"
            ),
        }
    }
}

/// `killed at 6 of 6 positions`.
impl fmt::Display for Swept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kills = self.kills.len();
        if self.is_whole {
            write!(f, "killed at {kills} of {kills} positions")
        } else {
            write!(f, "killed at the first {kills} positions")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sweeps over a program that makes so many requests of one kind for each batch.
    fn sweep_over(requests: usize) -> Result<Swept> {
        sweep(&[(RequestKind::Produce, BOTH)], |hold| {
            let kill = (hold.after < requests).then(|| Kill::at(hold));
            Ok(ControlFlow::Continue(kill))
        })
    }

    #[test]
    fn kills_on_both_sides_of_each_request() -> Result<()> {
        let swept = sweep_over(3)?;
        assert_eq!(swept.to_string(), "killed at 6 of 6 positions");
        let kills: Vec<String> = swept.kills.iter().map(ToString::to_string).collect();
        assert_eq!(kills[0], "before its Produce 1 reached the broker");
        assert_eq!(
            kills[3],
            "after the broker had done its Produce 2, and before the answer came"
        );
        Ok(())
    }

    #[test]
    fn ends_when_something_is_wrong() -> Result<()> {
        let positions = [(RequestKind::Produce, BOTH), (RequestKind::EndTxn, BOTH)];
        let mut calls = 0;
        let swept = sweep(&positions, |hold| {
            calls += 1;
            Ok(match hold.part {
                Part::Request => ControlFlow::Continue(Some(Kill::at(hold))),
                Part::Answer => ControlFlow::Break(()),
            })
        })?;
        assert_eq!(calls, 2);
        assert_eq!(swept.to_string(), "killed at the first 1 positions");
        Ok(())
    }

    #[test]
    fn says_if_there_were_more_positions() -> Result<()> {
        assert_eq!(
            sweep_over(40)?.to_string(),
            "killed at the first 8 positions"
        );
        Ok(())
    }
}
