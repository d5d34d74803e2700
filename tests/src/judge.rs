//! The one table of all checks, and judging a submission by it.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

use crate::check::{Check, Judged, Verdict};
use crate::lane::Lane;
use crate::submission::Submission;
use crate::{consumer_checks, crash_checks, producer_checks, scaling_checks};

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
    thread::scope(|scope| {
        for task in tasks {
            let (judged, told) = (&judged, &told);
            scope.spawn(move || {
                let lane = Lane::open(submission.clone());
                for check in all_checks().filter(|check| check.task == *task) {
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
