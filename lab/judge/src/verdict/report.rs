//! Verdicts in the form that all reports use: on the terminal, as JSON, on a platform, and as a page.

use std::time::Duration;

use cluster::printable;
use serde::{Deserialize, Serialize};

use crate::history::Moment;
use crate::profile::Profile;
use crate::verdict::cause::{Cause, NOT_SUBMITTED, What, in_words};
use crate::verdict::check::{Check, Verdict};

/// The outcome of one check, or of all checks together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Passed,
    Failed,
    NotJudged,
}

/// A check and its verdict.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Judged {
    pub id: String,
    pub task: u32,
    pub title: String,
    #[serde(rename = "verdict")]
    pub outcome: Outcome,
    pub points: u32,
    pub max_points: u32,
    /// Whether its points are a bonus on top of the 100 points of the regular tasks.
    #[serde(skip)]
    pub bonus: bool,
    pub expected: String,
    pub saw: String,
    pub hint: String,
    /// Why there is no program whose behavior could be judged. `None` if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What happened in the runs that this check looked at.
    #[serde(skip)]
    pub seen: Vec<Moment>,
}

impl Judged {
    /// Returns the check's row in a report.
    pub fn new(check: &Check, bonus: bool, verdict: Verdict, seen: Vec<Moment>) -> Self {
        let mut cause = None;
        let (outcome, expected, saw, hint) = match verdict {
            Verdict::Passed { expected, saw } => (Outcome::Passed, expected, saw, String::new()),
            Verdict::Failed {
                expected,
                saw,
                hint,
            } => (Outcome::Failed, expected, saw, hint),
            Verdict::NoProgram(none) => {
                let (expected, hint) = (none.cause.expected(), none.cause.hint().to_string());
                cause = Some(none.cause);
                (Outcome::Failed, expected, none.saw, hint)
            }
            Verdict::NotJudged { why } => (Outcome::NotJudged, String::new(), why, String::new()),
        };
        let passed = outcome == Outcome::Passed;
        Self {
            id: check.id.to_string(),
            task: check.task,
            title: check.title.to_string(),
            outcome,
            points: if passed { check.points } else { 0 },
            max_points: check.points,
            bonus,
            // A program or the compiler may have printed some of it.
            expected: printable(&expected),
            saw: printable(&saw),
            hint: printable(&hint),
            cause,
            seen,
        }
    }

    /// Whether both checks looked at the same run. If so, both have seen equally many moments, and the first and the last
    /// moment have the same times.
    pub fn looked_at_same_run(&self, other: &Self) -> bool {
        let run = |row: &Self| {
            let at = |moment: Option<&Moment>| moment.map(|moment| moment.at);
            (
                row.task,
                at(row.seen.first()),
                at(row.seen.last()),
                row.seen.len(),
            )
        };
        run(self) == run(other)
    }

    /// What a reader should be told, with a label each: what the check expected, what it saw, and its hint. What the cause says
    /// already is left out.
    pub fn parts(&self) -> Vec<(&'static str, &str)> {
        let what = self.cause.as_ref().map(|cause| cause.what);
        let mut parts = Vec::new();
        if what.is_none() {
            parts.push(("expected", &*self.expected));
        }
        if what != Some(What::NotSubmitted) || self.saw != NOT_SUBMITTED {
            parts.push(("saw", &*self.saw));
        }
        parts.push(("hint", &*self.hint));
        parts.retain(|(_, text)| !text.is_empty());
        parts
    }

    /// Whether both checks have the same verdict for the same reason, so that it need be told only once.
    fn is_told_with(&self, other: &Self) -> bool {
        let same_words = self.saw == other.saw && self.hint == other.hint;
        let same_cause = match (&self.cause, &other.cause) {
            // What a program printed last may differ from run to run, for example by a number of a process.
            (Some(one), Some(other)) => one == other || (one.what == other.what && same_words),
            (None, None) => self.expected == other.expected && same_words,
            _ => false,
        };
        self.outcome == other.outcome && same_cause
    }

    /// Whether the check passed.
    pub fn passed(&self) -> bool {
        self.outcome == Outcome::Passed
    }
}

/// Puts checks together that have the same verdict for the same reason, in the order of the first check of each reason.
pub fn told_once<'a>(rows: impl IntoIterator<Item = &'a Judged>) -> Vec<Vec<&'a Judged>> {
    let mut together: Vec<Vec<&Judged>> = Vec::new();
    for row in rows {
        match together.iter_mut().find(|rows| rows[0].is_told_with(row)) {
            Some(rows) => rows.push(row),
            None => together.push(vec![row]),
        }
    }
    together
}

/// The cause of checks that are told together, with the programs of all of them.
pub fn cause_of(rows: &[&Judged]) -> Option<Cause> {
    let mut causes = rows.iter().filter_map(|row| row.cause.as_ref());
    let mut all = causes.next()?.clone();
    causes.for_each(|cause| all.add(cause));
    Some(all)
}

/// How many checks these are, and of which tasks: `22 checks of tasks 2 and 3`.
pub fn counted(rows: &[&Judged]) -> String {
    let mut tasks: Vec<String> = rows.iter().map(|row| row.task.to_string()).collect();
    tasks.dedup();
    format!(
        "{} {} of {} {}",
        rows.len(),
        if rows.len() == 1 { "check" } else { "checks" },
        if tasks.len() == 1 { "task" } else { "tasks" },
        in_words(&tasks)
    )
}

/// The result of judging one submission, as `--json` prints it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub submission: String,
    /// The points of all checks that passed. Bonus points can raise it above `max_score`.
    pub score: u32,
    /// The points of the regular tasks that were judged. If only bonus tasks were judged, the points of those.
    pub max_score: u32,
    #[serde(rename = "verdict")]
    pub outcome: Outcome,
    /// How long judging took, in seconds, from the submission's source to its verdict.
    pub seconds: f64,
    pub checks: Vec<Judged>,
    /// Where these seconds went; `None` unless the grader judged the submission in this run.
    #[serde(skip)]
    pub profile: Option<Profile>,
}

impl Report {
    /// Returns the report on these verdicts. `took` is how long judging took.
    pub fn new(submission: impl Into<String>, took: Duration, checks: Vec<Judged>) -> Self {
        let any = |outcome| checks.iter().any(|row| row.outcome == outcome);
        let outcome = if any(Outcome::NotJudged) {
            Outcome::NotJudged
        } else if any(Outcome::Failed) {
            Outcome::Failed
        } else {
            Outcome::Passed
        };
        Self {
            submission: submission.into(),
            score: checks.iter().map(|row| row.points).sum(),
            max_score: max_score(&checks),
            outcome,
            seconds: took.as_secs_f64(),
            checks,
            profile: None,
        }
    }

    /// Whether every check could be judged. If not, the score may be too low.
    pub fn is_judged(&self) -> bool {
        self.outcome != Outcome::NotJudged
    }
}

fn max_score(checks: &[Judged]) -> u32 {
    let (bonus, usual): (Vec<&Judged>, Vec<&Judged>) = checks.iter().partition(|row| row.bonus);
    let counted = if usual.is_empty() { bonus } else { usual };
    counted.iter().map(|row| row.max_points).sum()
}
