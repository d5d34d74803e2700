//! Judging a submission by the one table of checks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use parking_lot::Mutex;

use crate::bench::lane::Lane;
use crate::bench::pool::Pool;
use crate::programs::submission::Submission;
use crate::tasks::{Task, all_checks};
use crate::verdict::check::{Check, Verdict};
use crate::verdict::report::Judged;

/// How many tasks of a submission are judged side by side, each on a broker of its own. Most of their time is waiting.
pub const SIDE_BY_SIDE: usize = 3;

/// Judges a submission by the checks of these tasks; `told` hears each verdict as it comes. The verdicts are in the order
/// of the table.
pub fn judge(
    pool: &Pool,
    submission: &Submission,
    tasks: &[&Task],
    told: impl Fn(&Judged) + Sync,
) -> Vec<Judged> {
    let judged = Mutex::new(Vec::new());
    let mut waiting = tasks.to_vec();
    // The longest comes first: the last of the list.
    waiting.sort_by_key(|task| task.seconds);
    let waiting = Mutex::new(waiting);
    // A task and its broker are taken in one go, so that the longest task's broker is the first to start.
    let next = || {
        let mut waiting = waiting.lock();
        Some((waiting.pop()?, Lane::open(pool, submission)))
    };
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some((task, lane)) = next() {
                    for check in task.checks {
                        let row = match &lane {
                            Ok(lane) => {
                                let verdict = judged_anyway(check, lane);
                                let seen = if matches!(verdict, Verdict::Failed { .. }) {
                                    lane.seen()
                                } else {
                                    // Nobody asks what happened where all is well.
                                    lane.look_away();
                                    Vec::new()
                                };
                                Judged::new(check, task.bonus, verdict, seen)
                            }
                            Err(error) => {
                                let why = format!("{error:#}");
                                Judged::new(
                                    check,
                                    task.bonus,
                                    Verdict::NotJudged { why },
                                    Vec::new(),
                                )
                            }
                        };
                        told(&row);
                        judged.lock().push(row);
                    }
                }
            });
        }
    });
    let mut judged = judged.into_inner();
    judged.sort_by_key(|row| all_checks().position(|check| check.id == row.id));
    judged
}

/// The verdict of one check. If what a program left makes us panic, the check fails, and the others go on.
fn judged_anyway(check: &Check, lane: &Lane) -> Verdict {
    catch_unwind(AssertUnwindSafe(|| check.judge(lane))).unwrap_or_else(|_| Verdict::Failed {
        expected: check.title.to_string(),
        saw: "something that the check could not read: it gave up".to_string(),
        hint: "Is what the program prints, commits and writes within what the contract says?"
            .to_string(),
    })
}
