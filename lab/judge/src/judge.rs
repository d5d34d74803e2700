//! Judging a submission by the checks in the table of tasks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use anyhow::Result;
use broker::spent::{Waiting, count_as, lap};
use parking_lot::Mutex;

use crate::bench::lane::Lane;
use crate::bench::pool::{Pool, SIDE_BY_SIDE};
use crate::history::recorded::Recorded;
use crate::profile::Profile;
use crate::programs::submission::Submission;
use crate::tasks::{Task, all_checks};
use crate::verdict::check::{Check, Verdict};
use crate::verdict::ended_at_once::ended_at_once;
use crate::verdict::report::Judged;

/// Checks of a task that are judged on one lane, one after the other.
struct Wing<'a> {
    task: &'a Task,
    checks: Vec<&'a Check>,
    /// How long they take if all of them pass, in seconds.
    seconds: u32,
}

impl<'a> Wing<'a> {
    /// The wings of a task: one, or two if some of its checks are judged apart.
    fn of(task: &'a Task) -> Vec<Self> {
        let (apart, others): (Vec<_>, Vec<_>) =
            task.checks.iter().partition(|check| task.is_apart(check));
        let wings = [(others, task.seconds), (apart, task.apart.seconds)];
        let wings = wings.into_iter().filter(|(checks, _)| !checks.is_empty());
        wings
            .map(|(checks, seconds)| Self {
                task,
                checks,
                seconds,
            })
            .collect()
    }
}

/// Judges a submission by the checks of these tasks. Returns the verdicts in the order of the table of tasks.
///
/// `on_verdict` is called with each verdict as soon as it is reached, from several threads.
pub fn judge(
    pool: &Pool,
    submission: &Submission,
    tasks: &[&Task],
    on_verdict: impl Fn(&Judged) + Sync,
) -> Vec<Judged> {
    judge_tasks(pool, submission, tasks, on_verdict, None).0
}

/// Judges as [`judge`] does. Also returns where the time went.
pub fn judge_and_profile(
    pool: &Pool,
    submission: &Submission,
    tasks: &[&Task],
) -> (Vec<Judged>, Profile) {
    judge_tasks(pool, submission, tasks, |_| {}, None)
}

/// Judges as [`judge`] does. Also returns a record of all that happened, for each task.
pub fn judge_and_record(
    pool: &Pool,
    submission: &Submission,
    tasks: &[&Task],
    on_verdict: impl Fn(&Judged) + Sync,
) -> (Vec<Judged>, Vec<Recorded>) {
    let recorded = Mutex::new(Vec::new());
    let (judged, _) = judge_tasks(pool, submission, tasks, on_verdict, Some(&recorded));
    (judged, recorded.into_inner())
}

fn judge_tasks(
    pool: &Pool,
    submission: &Submission,
    tasks: &[&Task],
    on_verdict: impl Fn(&Judged) + Sync,
    recorded: Option<&Mutex<Vec<Recorded>>>,
) -> (Vec<Judged>, Profile) {
    let judged = Mutex::new(Vec::new());
    let profile = Mutex::new(Profile::default());
    let mut waiting: Vec<Wing> = tasks.iter().flat_map(|task| Wing::of(task)).collect();
    // The longest wing is last in the list, and so it is taken first.
    waiting.sort_by_key(|wing| wing.seconds);
    let waiting = Mutex::new(waiting);
    // A thread takes a wing and its broker under one lock, so that the longest wing's broker is the first to start.
    let next = || {
        let _waiting = count_as(Waiting::Broker);
        let mut waiting = waiting.lock();
        let wing = waiting.pop()?;
        let lane = open_lane(pool, submission, wing.task);
        Some((wing, lane))
    };
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                // What this thread has done before belongs to no task.
                lap();
                while let Some((wing, lane)) = next() {
                    let task = wing.task;
                    profile.lock().add_broker(task.number, lap());
                    let mut record = recorded.map(|_| Recorded::new(task.number));
                    for check in wing.checks {
                        let mut row = judge_check(task, check, &lane, record.as_mut());
                        row.saw = submission.with_short_paths(&row.saw);
                        on_verdict(&row);
                        judged.lock().push(row);
                        profile.lock().add_check(check.id, lap());
                    }
                    if let (Some(recorded), Some(mut record)) = (recorded, record) {
                        if let Ok(lane) = &lane {
                            // If the broker has gone, the record has the requests that checks saw before.
                            let _ = record.add_requests(|kind| lane.requests_of_programs(kind));
                            record.set_undelivered(lane.undelivered());
                        }
                        recorded.lock().push(record);
                    }
                }
            });
        }
    });
    let mut judged = judged.into_inner();
    judged.sort_by_key(|row| all_checks().position(|check| check.id == row.id));
    (judged, profile.into_inner())
}

/// Opens a lane for checks of this task. The error is the verdict on all of them if there is no lane, or if they need none,
/// because there is no program to judge or this machine cannot run it.
fn open_lane<'a>(
    pool: &'a Pool,
    submission: &'a Submission,
    task: &Task,
) -> Result<Lane<'a>, Verdict> {
    if let Some(missing) = submission.missing(task.programs) {
        return Err(Verdict::NoProgram(missing));
    }
    if let Some(why) = submission.not_here(task.programs) {
        return Err(Verdict::NotJudged {
            why: why.to_string(),
        });
    }
    Lane::open(pool, submission).map_err(|error| {
        Verdict::too_late().unwrap_or_else(|| Verdict::NotJudged {
            why: format!("{error:#}"),
        })
    })
}

/// Judges one check on the task's lane, or gives it the verdict that all checks have without a lane. What the check saw is added
/// to `record`.
fn judge_check(
    task: &Task,
    check: &Check,
    lane: &Result<Lane, Verdict>,
    record: Option<&mut Recorded>,
) -> Judged {
    let without_run = |verdict| Judged::new(check, task.bonus, verdict, Vec::new());
    let lane = match lane {
        Ok(lane) => lane,
        Err(verdict) => return without_run(verdict.clone()),
    };
    if let Some(too_late) = Verdict::too_late() {
        return without_run(too_late);
    }
    let mut verdict = verdict_of(check, lane);
    // Reports show what happened only for checks that failed; a record has all of it.
    let is_reported = matches!(verdict, Verdict::Failed { .. });
    let mut seen = Vec::new();
    if is_reported || record.is_some() {
        seen = lane.seen();
    } else {
        lane.look_away();
    }
    if let Some(record) = record {
        record.add(check.id, &seen);
    }
    if !is_reported {
        seen.clear();
    } else if lane.is_worked_with().is_ok_and(|worked| !worked)
        && let Some(none) = ended_at_once(&seen)
    {
        verdict = Verdict::NoProgram(none);
    }
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
