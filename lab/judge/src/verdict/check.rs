//! What a check is, and the verdict that it reaches.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use anyhow::Result;
use broker::wait;
use cluster::Unreadable;

use crate::bench::lane::Lane;
use crate::contract::STOP_LIMIT;
use crate::verdict::cause::NoProgram;

/// The number of the signal that Ctrl-C sends to a program.
const SIGINT: i32 = 2;

/// One requirement of a task, and the functions that judge whether a submission meets it.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// A name that never changes, such as `producer.publishes_100`.
    pub id: &'static str,
    /// The clauses of the contract (`docs/contract.md`) that it judges, by their numbers: `C5`.
    pub clauses: &'static [&'static str],
    pub task: u32,
    pub points: u32,
    pub title: &'static str,
    /// Each judges the submission of a lane. If the run that it needs has not taken place on this lane yet, it takes place now.
    /// Most checks have one part. One that takes long has several, which may be judged on different lanes at the same time. It
    /// passes if all of them pass.
    ///
    /// An error means that the part could not be judged, with one exception: see [`Check::judge_part`].
    pub parts: &'static [fn(&Lane) -> Result<Verdict>],
}

/// The verdict of a check on a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed {
        expected: String,
        saw: String,
    },
    Failed {
        expected: String,
        saw: String,
        /// Where the student should look. It does not give the answer away.
        hint: String,
    },
    /// There is no program whose behavior could be judged. This counts as failed.
    NoProgram(NoProgram),
    /// The lab, the broker or the machine is at fault, not the submission. This never counts as zero points.
    NotJudged {
        why: String,
    },
}

impl Verdict {
    /// Not judged, if the deadline of the command is over.
    pub fn too_late() -> Option<Self> {
        let over = wait::deadline_over()?;
        Some(Self::NotJudged {
            why: over.to_string(),
        })
    }

    /// Whether the submission is at fault.
    pub fn is_failed(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::NoProgram(_))
    }
}

/// Returns a passed verdict if `holds`, and a failed one with the hint if not.
pub fn verdict(
    holds: bool,
    expected: impl Into<String>,
    saw: impl Into<String>,
    hint: impl Into<String>,
) -> Verdict {
    let (expected, saw) = (expected.into(), saw.into());
    if holds {
        Verdict::Passed { expected, saw }
    } else {
        Verdict::Failed {
            expected,
            saw,
            hint: hint.into(),
        }
    }
}

/// Judges how a program ended on Ctrl-C. `status` is `None` if it was still running after [`STOP_LIMIT`].
pub fn stopped_on_ctrl_c(status: Option<ExitStatus>, last_lines: &str) -> Verdict {
    let seconds = STOP_LIMIT.as_secs();
    verdict(
        status.is_some_and(|status| {
            // A shell reports 130 for a program that SIGINT has ended.
            matches!(status.code(), Some(0 | 130)) || status.signal() == Some(SIGINT)
        }),
        format!("exit status 0 or 130 within {seconds} s of Ctrl-C"),
        match status {
            Some(status) => status.to_string(),
            None => format!("the program was still running after {seconds} s. {last_lines}"),
        },
        "Does your loop ever check whether it has been asked to stop?",
    )
}

impl Check {
    /// Returns the verdict of one of the check's parts on the submission of this lane.
    ///
    /// It fails if programs sent more than can be read, or if an error occurs after the program has tampered with the broker.
    /// After any other error, it is not judged. A failed part also becomes not judged if Kafka has stopped answering and the
    /// program has not tampered with the broker.
    pub fn judge_part(&self, number: usize, lane: &Lane) -> Verdict {
        let verdict = (self.parts[number])(lane);
        // What a check did not see because its waits ended was not the program's fault.
        if !matches!(verdict, Ok(Verdict::Passed { .. }))
            && let Some(too_late) = Verdict::too_late()
        {
            return too_late;
        }
        let verdict = match verdict {
            Ok(Verdict::Failed {
                expected,
                saw,
                hint,
            }) if lane.is_meddled_with() => Ok(Verdict::Failed {
                expected,
                saw: format!(
                    "{saw}\nThe program also sent a request that may change topics or settings. No program of the lab needs that."
                ),
                hint,
            }),
            other => other,
        };
        if let Ok(Verdict::Failed { .. }) = &verdict
            && !lane.is_meddled_with()
            && let Err(error) = lane.kafka().topics()
        {
            return Verdict::NotJudged {
                why: format!("Kafka stopped answering: {error:#}"),
            };
        }
        verdict.unwrap_or_else(|error| {
            if let Some(unreadable) = error.downcast_ref::<Unreadable>() {
                return Verdict::Failed {
                    expected: "no more records than the task asks for".to_string(),
                    saw: unreadable.to_string(),
                    hint: "How many records does your program send, and how large are they?".to_string(),
                };
            }
            if !lane.is_meddled_with() {
                return Verdict::NotJudged {
                    why: format!("{error:#}"),
                };
            }
            Verdict::Failed {
                expected: "a program that does not change the broker's topics or settings"
                    .to_string(),
                saw: format!(
                    "the program sent a request that may change them, and then an error occurred: {error:#}"
                ),
                hint: "All topics and settings exist before your program starts. Does it try to create, change or \
                       delete any of them?"
                    .to_string(),
            }
        })
    }
}
