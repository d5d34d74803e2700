//! The one table of all checks, and judging a submission by it.

use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use crate::check::{Check, Judged, Verdict};
use crate::lane::Lane;
use crate::submission::Submission;
use crate::{consumer_checks, crash_checks, producer_checks, scaling_checks};

/// Tasks by how long their checks take: task 3 waits for a session timeout, task 2 for the timer of an automatic commit.
const LONGEST_FIRST: &[u32] = &[3, 2];

/// Every check, by task. Tasks 1 to 4 make 100 points.
pub fn all_checks() -> impl Iterator<Item = &'static Check> {
    [
        producer_checks::CHECKS,
        consumer_checks::CHECKS,
        scaling_checks::CHECKS,
        crash_checks::CHECKS,
    ]
    .into_iter()
    .flatten()
}

/// Judges a submission by the checks of these tasks; `told` hears each verdict as it comes. Every task has a lane of its
/// own, and the lanes run side by side. The verdicts are in the order of the table.
pub fn judge(submission: &Submission, tasks: &[u32], told: impl Fn(&Judged) + Sync) -> Vec<Judged> {
    let judged = Mutex::new(Vec::new());
    let mut tasks = tasks.to_vec();
    tasks.sort_by_key(|task| {
        LONGEST_FIRST
            .iter()
            .position(|long| long == task)
            .unwrap_or(usize::MAX)
    });
    // Brokers that start at the same time only slow each other down: one after the other, the longest task's first.
    let (open, mut turn) = mpsc::channel();
    let _ = open.send(());
    thread::scope(|scope| {
        for task in tasks {
            let (judged, told) = (&judged, &told);
            let (opened, next) = mpsc::channel();
            let mine = std::mem::replace(&mut turn, next);
            scope.spawn(move || {
                let _ = mine.recv();
                let lane = Lane::open(submission.clone());
                let _ = opened.send(());
                for check in all_checks().filter(|check| check.task == task) {
                    let verdict = match &lane {
                        Ok(lane) => check.judge(lane),
                        Err(error) => Verdict::NotJudged {
                            why: format!("{error:#}"),
                        },
                    };
                    let row = Judged::new(check, verdict);
                    told(&row);
                    judged
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(row);
                }
            });
        }
    });
    let mut judged = judged.into_inner().unwrap_or_else(PoisonError::into_inner);
    judged.sort_by_key(|row| all_checks().position(|check| check.id == row.id));
    judged
}
