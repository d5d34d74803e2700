//! Judging a submission by the checks in the table of tasks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use anyhow::Result;
use parking_lot::Mutex;

use crate::bench::lane::Lane;
use crate::bench::pool::Pool;
use crate::programs::submission::Submission;
use crate::tasks::{Task, all_checks};
use crate::verdict::check::{Check, Verdict};
use crate::verdict::report::Judged;

/// How many tasks of a submission are judged at the same time, each on its own broker. They spend most of their time waiting.
pub const SIDE_BY_SIDE: usize = 3;

/// Judges a submission by the checks of these tasks. Returns the verdicts in the order of the table of tasks.
///
/// `on_verdict` is called with each verdict as soon as it is reached, from several threads.
pub fn judge(
    pool: &Pool,
    submission: &Submission,
    tasks: &[&Task],
    on_verdict: impl Fn(&Judged) + Sync,
) -> Vec<Judged> {
    let judged = Mutex::new(Vec::new());
    let mut waiting = tasks.to_vec();
    // The longest task is last in the list, and so it is taken first.
    waiting.sort_by_key(|task| task.seconds);
    let waiting = Mutex::new(waiting);
    // A thread takes a task and its broker under one lock, so that the longest task's broker is the first to start.
    let next = || {
        let mut waiting = waiting.lock();
        Some((waiting.pop()?, Lane::open(pool, submission)))
    };
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some((task, lane)) = next() {
                    for check in task.checks {
                        let row = judge_check(task, check, &lane);
                        on_verdict(&row);
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

/// Judges one check on the task's lane. If the lane could not be opened, the check is not judged.
fn judge_check(task: &Task, check: &Check, lane: &Result<Lane>) -> Judged {
    let (verdict, seen) = match lane {
        Ok(lane) => {
            let verdict = verdict_of(check, lane);
            let seen = if matches!(verdict, Verdict::Failed { .. }) {
                lane.seen()
            } else {
                // Reports show what happened only for checks that failed.
                lane.look_away();
                Vec::new()
            };
            (verdict, seen)
        }
        Err(error) => {
            let why = format!("{error:#}");
            (Verdict::NotJudged { why }, Vec::new())
        }
    };
    Judged::new(check, task.bonus, verdict, seen)
}

/// Returns the verdict of one check. If the check panics because of something that a program left behind, it fails, and the
/// other checks are still judged.
fn verdict_of(check: &Check, lane: &Lane) -> Verdict {
    catch_unwind(AssertUnwindSafe(|| check.judge(lane))).unwrap_or_else(|_| Verdict::Failed {
        expected: check.title.to_string(),
        saw: "the check came across something that it could not read, and gave up".to_string(),
        hint: "Does your program print, commit and write only what docs/contract.md allows?"
            .to_string(),
    })
}
