//! Checks and verdicts.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use anyhow::Result;

use crate::bench::lane::Lane;
use crate::programs::submission::Missing;

/// The number of the signal that Ctrl-C sends.
const SIGINT: i32 = 2;

/// One thing that a program is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// A stable name: `producer.publishes_100`.
    pub id: &'static str,
    pub task: u32,
    pub points: u32,
    pub title: &'static str,
    /// Looks at what happened on the lane, and causes it where it has not happened yet. An error is ours: not judged.
    pub judge: fn(&Lane) -> Result<Verdict>,
}

/// What a check comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed {
        expected: String,
        saw: String,
    },
    Failed {
        expected: String,
        saw: String,
        /// Where to look, without the answer.
        hint: String,
    },
    /// Our fault, the broker's or the machine's. Never a zero.
    NotJudged {
        why: String,
    },
}

/// What was expected and seen. Becomes a verdict by whether it holds.
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

/// Whether a program ended in good order on Ctrl-C: `status` is `None` where it was still running after 5 s.
pub fn stopped_on_ctrl_c(status: Option<ExitStatus>, last_lines: &str) -> Verdict {
    verdict(
        status.is_some_and(|status| {
            // A shell says 130 for a program that SIGINT has ended.
            matches!(status.code(), Some(0 | 130)) || status.signal() == Some(SIGINT)
        }),
        "exit status 0 or 130 within 5 s of Ctrl-C",
        match status {
            Some(status) => status.to_string(),
            None => format!("still running. {last_lines}"),
        },
        "Does the loop ever look whether someone asked it to stop?",
    )
}

impl Check {
    /// The check's verdict on the submission of this lane.
    pub fn judge(&self, lane: &Lane) -> Verdict {
        let verdict = (self.judge)(lane);
        if let Ok(Verdict::Failed { .. }) = &verdict
            && !lane.is_meddled_with()
            && let Err(error) = lane.kafka().topics()
        {
            return Verdict::NotJudged {
                why: format!("Kafka does not answer any more: {error:#}"),
            };
        }
        verdict.unwrap_or_else(|error| match error.downcast_ref::<Missing>() {
            Some(Missing::NotSubmitted(program)) => Verdict::Failed {
                expected: format!("a program {program}"),
                saw: "it was not submitted".to_string(),
                hint: "Is it in the folder, under this name?".to_string(),
            },
            Some(Missing::DoesNotCompile { program, message }) => Verdict::Failed {
                expected: format!("a program {program}"),
                saw: format!("it does not compile:\n{}", message.trim_end()),
                hint: "Mend the compiler's first message first; the others may go with it."
                    .to_string(),
            },
            None if lane.is_meddled_with() => Verdict::Failed {
                expected: "a broker that is left as it is".to_string(),
                saw: format!("the program has changed it, and then: {error:#}"),
                hint: "Topics and settings are there before a program starts.".to_string(),
            },
            None => Verdict::NotJudged {
                why: format!("{error:#}"),
            },
        })
    }
}
