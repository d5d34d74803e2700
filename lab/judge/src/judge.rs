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
use crate::tasks::{Task, Wing, all_checks};
use crate::verdict::check::Verdict;
use crate::verdict::ended_at_once::ended_at_once;
use crate::verdict::parts::{Part, Parts, Reached};
use crate::verdict::report::Judged;

/// Judges a submission by the checks of these tasks. Returns the verdicts in the order of the table of tasks.
///
/// `on_verdict` is called with each verdict as soon as it is reached, from several threads.
pub fn judge(
    pool: &Pool,
    submission: &Submission,
    tasks: &[&'static Task],
    on_verdict: impl Fn(&Judged) + Sync,
) -> Vec<Judged> {
    judge_tasks(pool, submission, tasks, on_verdict, None).0
}

/// Judges as [`judge`] does. Also returns where the time went.
pub fn judge_and_profile(
    pool: &Pool,
    submission: &Submission,
    tasks: &[&'static Task],
) -> (Vec<Judged>, Profile) {
    judge_tasks(pool, submission, tasks, |_| {}, None)
}

/// Judges as [`judge`] does. Also returns a record of all that happened, for each task.
pub fn judge_and_record(
    pool: &Pool,
    submission: &Submission,
    tasks: &[&'static Task],
    on_verdict: impl Fn(&Judged) + Sync,
) -> (Vec<Judged>, Vec<Recorded>) {
    let recorded = Mutex::new(Vec::new());
    let (judged, _) = judge_tasks(pool, submission, tasks, on_verdict, Some(&recorded));
    (judged, recorded.into_inner())
}

fn judge_tasks(
    pool: &Pool,
    submission: &Submission,
    tasks: &[&'static Task],
    on_verdict: impl Fn(&Judged) + Sync,
    recorded: Option<&Mutex<Vec<Recorded>>>,
) -> (Vec<Judged>, Profile) {
    let mut waiting: Vec<Wing> = tasks.iter().flat_map(|task| task.wings()).collect();
    // The longest wing is last in the list, and so it is taken first.
    waiting.sort_by_key(|wing| wing.seconds);
    let judging = Judging {
        pool,
        submission,
        waiting: Mutex::new(waiting),
        opening: Mutex::default(),
        parts: Mutex::default(),
        judged: Mutex::default(),
        profile: Mutex::default(),
        on_verdict,
        recorded,
    };
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| judging.work());
        }
    });
    let mut judged = judging.judged.into_inner();
    judged.sort_by_key(|row| all_checks().position(|check| check.id == row.id));
    (judged, judging.profile.into_inner())
}

/// A submission that is being judged by several threads.
struct Judging<'a, F> {
    pool: &'a Pool,
    submission: &'a Submission,
    /// What nobody judges yet, with the longest last.
    waiting: Mutex<Vec<Wing>>,
    /// Locked while a thread takes a wing and waits for its broker, so that the longest wing's broker is the first to start.
    opening: Mutex<()>,
    parts: Mutex<Parts>,
    judged: Mutex<Vec<Judged>>,
    profile: Mutex<Profile>,
    on_verdict: F,
    /// The records of all lanes, if they are wanted.
    recorded: Option<&'a Mutex<Vec<Recorded>>>,
}

/// Where parts of a task's checks are judged.
struct Place<'a> {
    task: &'static Task,
    /// The error is the verdict on all parts.
    lane: Result<Lane<'a>, Verdict>,
    record: Option<Recorded>,
    /// Whether everything could be judged here so far.
    is_sound: bool,
}

impl Place<'_> {
    /// Whether it is as good as a new one.
    fn can_be_used_again(&self) -> bool {
        let lane = self.lane.as_ref();
        self.is_sound && lane.map_or(true, |lane| !lane.is_meddled_with())
    }
}

impl<'a, F: Fn(&Judged) + Sync> Judging<'a, F> {
    /// Judges one wing after the other, until none is left.
    fn work(&self) {
        // What this thread has done before belongs to no task.
        lap();
        let mut at = None;
        while let Some((wing, mut place)) = self.next(at) {
            self.profile.lock().add_broker(wing.task.number, lap());
            for part in &wing.parts {
                let is_decided = self.parts.lock().is_decided_before(*part);
                let reached =
                    (!is_decided).then(|| judge_part(*part, &place.lane, place.record.as_mut()));
                if let Some((Verdict::NotJudged { .. }, _)) = reached {
                    place.is_sound = false;
                }
                self.add(wing.task, *part, reached);
                self.profile.lock().add_check(part.check.id, lap());
            }
            at = Some(place);
        }
    }

    /// The next wing, and where it is judged: at this place if it belongs to the same task, which saves a broker and situations
    /// that were brought about already; or else at a new place. This one is then left.
    fn next(&self, at: Option<Place<'a>>) -> Option<(Wing, Place<'a>)> {
        if let Some(place) = at {
            let mut waiting = self.waiting.lock();
            let same_task = |wing: &Wing| wing.task.number == place.task.number;
            if place.can_be_used_again()
                && let Some(next) = waiting.iter().rposition(same_task)
            {
                return Some((waiting.remove(next), place));
            }
            drop(waiting);
            // Somebody may wait for this broker, and keep the others from opening a lane meanwhile.
            self.leave(place);
        }
        let _waiting = count_as(Waiting::Broker);
        let _turn = self.opening.lock();
        let wing = self.waiting.lock().pop()?;
        let place = Place {
            task: wing.task,
            lane: open_lane(self.pool, self.submission, wing.task),
            record: self.recorded.map(|_| Recorded::new(wing.task.number)),
            is_sound: true,
        };
        Some((wing, place))
    }

    /// Returns the broker, and keeps the record.
    fn leave(&self, place: Place) {
        if let (Some(recorded), Some(mut record)) = (self.recorded, place.record) {
            if let Ok(lane) = &place.lane {
                // If the broker has gone, the record has the requests that checks saw before.
                let _ = record.add_requests(|kind| lane.requests_of_programs(kind));
                record.set_undelivered(lane.undelivered());
            }
            recorded.lock().push(record);
        }
    }

    /// Adds what became of a part. The last part of a check leads to its verdict.
    fn add(&self, task: &Task, part: Part, reached: Option<Reached>) {
        let Some((verdict, seen)) = self.parts.lock().add(part, reached) else {
            return;
        };
        let mut row = Judged::new(part.check, task.bonus, verdict, seen);
        row.saw = self.submission.with_short_paths(&row.saw);
        (self.on_verdict)(&row);
        self.judged.lock().push(row);
    }
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

/// Judges one part of a check on its lane, or gives it the verdict that all parts have without a lane. What it saw is added to
/// `record`.
fn judge_part(part: Part, lane: &Result<Lane, Verdict>, record: Option<&mut Recorded>) -> Reached {
    let without_run = |verdict| (verdict, Vec::new());
    let lane = match lane {
        Ok(lane) => lane,
        Err(verdict) => return without_run(verdict.clone()),
    };
    if let Some(too_late) = Verdict::too_late() {
        return without_run(too_late);
    }
    let mut verdict = verdict_of(part, lane);
    // Reports show what happened only for checks that failed; a record has all of it.
    let is_reported = matches!(verdict, Verdict::Failed { .. });
    let mut seen = Vec::new();
    if is_reported || record.is_some() {
        seen = lane.seen();
    } else {
        lane.look_away();
    }
    if let Some(record) = record {
        record.add(part.check.id, &seen);
    }
    if !is_reported {
        seen.clear();
    } else if lane.is_worked_with().is_ok_and(|worked| !worked)
        && let Some(none) = ended_at_once(&seen)
    {
        verdict = Verdict::NoProgram(none);
    }
    (verdict, seen)
}

/// Returns the verdict of one part of a check. If it panics because of something that a program left behind, it fails, and the
/// others are still judged.
fn verdict_of(part: Part, lane: &Lane) -> Verdict {
    let judge = || part.check.judge_part(part.number, lane);
    catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|_| Verdict::Failed {
        expected: part.check.title.to_string(),
        saw: "the check came across something that it could not read, and gave up".to_string(),
        hint: "Does your program print, commit and write only what docs/contract.md allows?"
            .to_string(),
    })
}
