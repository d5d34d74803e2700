//! Task 6: the checks of `exactly_once`. They detect these mistakes:
//!
//! - The program copies the wrong events, or it changes their keys or values.
//! - Readers see a purchase twice or never: after a restart, after a kill within a transaction or right after one, or after
//!   an aborted transaction.
//! - The offsets are not committed together with the purchases.
//! - A killed instance leaves a transaction open, and the next run does not end it, so readers have to wait.
//! - A second instance does not fence the first one, or the first one goes on or ends without an error.
//! - The program does not end on Ctrl-C.

use std::process::ExitStatus;

use anyhow::Result;

use crate::bench::lane::Lane;
use crate::contract::RECOVERY_LIMIT;
use crate::task6_exactly_once::failures::{DISTURBED, REFUSED};
use crate::task6_exactly_once::kills::{KILLED_AFTER_END, KILLED_BEFORE_END};
use crate::task6_exactly_once::runs::{
    AFTER_COMMIT, COPIED, FENCED, IN_TRANSACTION, PAUSED, RESUMED, Resumed, Snapshot, Tried,
};
use crate::verdict::check::{Check, Verdict, stopped_on_ctrl_c, verdict};

pub const CHECKS: &[Check] = &[
    Check {
        id: "exactly_once.copies_purchases",
        clauses: &["X1", "E10"],
        task: 6,
        points: 4,
        title: "copies each purchase that has an amount, and nothing else",
        parts: &[copies_purchases],
    },
    Check {
        id: "exactly_once.resumes",
        clauses: &["X1"],
        task: 6,
        points: 2,
        title: "resumes after a restart where it stopped",
        parts: &[resumes],
    },
    Check {
        id: "exactly_once.stops_on_ctrl_c",
        clauses: &["E7"],
        task: 6,
        points: 1,
        title: "ends within 5 s of Ctrl-C",
        parts: &[stops_on_ctrl_c],
    },
    Check {
        id: "exactly_once.killed_in_transaction",
        clauses: &["X3"],
        task: 6,
        points: 4,
        title: "shows each purchase once, whatever happens within a transaction",
        parts: &[
            killed_before_commit,
            killed_around_each_request,
            disturbed_in_transaction,
        ],
    },
    Check {
        id: "exactly_once.killed_after_commit",
        clauses: &["X3"],
        task: 6,
        points: 3,
        title: "shows each purchase once after a kill right after a transaction",
        parts: &[killed_after_commit],
    },
    Check {
        id: "exactly_once.offsets_in_transaction",
        clauses: &["X2", "E6"],
        task: 6,
        points: 3,
        title: "commits the offsets together with the purchases",
        parts: &[offsets_in_transaction],
    },
    Check {
        id: "exactly_once.restart_waits_for_nobody",
        clauses: &["X4"],
        task: 6,
        points: 2,
        title: "ends a transaction that a killed instance left open, so that readers do not wait for its timeout",
        parts: &[restart_waits_for_nobody],
    },
    Check {
        id: "exactly_once.second_fences_first",
        clauses: &["X5"],
        task: 6,
        points: 3,
        title: "is fenced by a second instance, and ends with an error",
        parts: &[second_fences_first],
    },
    Check {
        id: "exactly_once.aborted_comes_again",
        clauses: &["X3"],
        task: 6,
        points: 3,
        title: "loses nothing and repeats nothing when a transaction fails",
        parts: &[aborted_comes_again],
    },
];

/// Whether a check holds, and what was seen. If the program copies nothing, the check does not hold.
fn if_it_copies<T>(run: &Tried<T>, judge: impl FnOnce(&T) -> (bool, String)) -> (bool, String) {
    match run {
        Tried::Ran(run) => judge(run),
        Tried::CopiesNothing(last_lines) => (false, copies_nothing(last_lines)),
    }
}

fn copies_nothing(last_lines: &str) -> String {
    format!("the program copied no purchase, although nothing disturbed it. {last_lines}")
}

fn copies_purchases(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(COPIED)?;
    let faults = &run.faults;
    let example = faults.example.as_ref();
    let example = example.map_or_else(String::new, |example| {
        format!("; the first of these records has {example}")
    });
    let last_lines = if run.seen.missing > 0 {
        format!(". {}", run.seen.last_lines)
    } else {
        String::new()
    };
    Ok(verdict(
        run.seen.each_once()
            && faults.unwanted == 0
            && faults.changed == 0
            && faults.out_of_order == 0,
        format!(
            "`clickstream` contains {} purchases with an amount, and `purchases` contains one record for each of them, with \
             the same key and the same JSON value, and those of each user in the same order",
            run.seen.published
        ),
        format!(
            "{}; {} records belong to other events, {} differ from their event, and {} come before an earlier one of their \
             user{example}{last_lines}",
            run.seen.counts(),
            faults.unwanted,
            faults.changed,
            faults.out_of_order,
        ),
        "Which events are purchases with an amount? Does your program pass on key and value unchanged?",
    ))
}

fn resumes(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(RESUMED)?;
    let (holds, saw) = if_it_copies(&run, |Resumed(seen)| (seen.each_once(), seen.as_text()));
    Ok(verdict(
        holds,
        "the next run copies each purchase that was published after the stop, and it copies no earlier one again",
        saw,
        "Kafka remembers where a group stopped. Which group name does your program use, and which offset does it commit?",
    ))
}

fn stops_on_ctrl_c(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(COPIED)?;
    Ok(if run.any() {
        stopped_on_ctrl_c(run.status, &run.last_lines)
    } else {
        verdict(
            false,
            "the program copies purchases, and it ends on Ctrl-C",
            copies_nothing(&run.last_lines),
            "Does your program subscribe to the topic, and does it poll?",
        )
    })
}

/// What was seen of a program that never tries to commit a transaction.
const NO_TRANSACTION: &str = "the program committed no transaction";

/// The hint of each part of `exactly_once.killed_in_transaction`.
const NOTHING_COUNTS: &str = "Nothing of a transaction that did not end well may count: not its records, and not its offsets.";

fn killed_before_commit(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(IN_TRANSACTION)?;
    let (holds, saw) = if_it_copies(&run, |run| {
        let saw = format!("killed before its commit: {}", run.seen.as_text());
        if run.tried {
            (run.seen.each_once(), saw)
        } else {
            (false, format!("{NO_TRANSACTION}; {saw}"))
        }
    });
    Ok(verdict(
        holds,
        "the program is killed when it wants to commit a transaction: in the end, readers see each purchase once",
        saw,
        NOTHING_COUNTS,
    ))
}

fn killed_around_each_request(lane: &Lane) -> Result<Verdict> {
    let kills = lane.evidence(KILLED_BEFORE_END)?;
    let (holds, saw) = if_it_copies(&kills, |kills| (kills.is_right(), kills.to_string()));
    Ok(verdict(
        holds,
        "it is killed before each request of a transaction reaches the broker, and after the broker has done it: each time, readers \
         see each purchase once",
        saw,
        NOTHING_COUNTS,
    ))
}

fn disturbed_in_transaction(lane: &Lane) -> Result<Verdict> {
    let paused = lane.evidence(PAUSED)?;
    let (mut holds, mut saw) = if_it_copies(&paused, |run| {
        let seen = run.seen.as_text();
        if run.reached {
            let saw =
                format!("paused before its commit, until another instance had taken over: {seen}");
            (run.seen.each_once(), saw)
        } else {
            (false, format!("{NO_TRANSACTION}; {seen}"))
        }
    });
    if holds {
        let disturbed = lane.evidence(DISTURBED)?;
        let (once, seen) = if_it_copies(&disturbed, |run| {
            let saw = format!(
                "answers lost: {} of {}; transactions aborted in the middle: {}: {}",
                run.lost,
                run.of,
                u32::from(run.aborted),
                run.seen.as_text()
            );
            (
                run.lost == run.of && run.aborted && run.seen.each_once(),
                saw,
            )
        });
        holds = once;
        saw += &format!("; {seen}");
    }
    Ok(verdict(
        holds,
        "it is paused in a transaction until another instance takes over; answers of the broker are lost, and a transaction is \
         aborted in the middle: each time, readers see each purchase once",
        saw,
        NOTHING_COUNTS,
    ))
}

fn killed_after_commit(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(AFTER_COMMIT)?;
    let (mut holds, mut saw) = if_it_copies(&run, |run| {
        let saw = format!(
            "killed as soon as readers saw a copy: {}",
            run.seen.as_text()
        );
        if run.transactions > 0 {
            (run.seen.each_once(), saw)
        } else {
            (false, format!("{NO_TRANSACTION}; {saw}"))
        }
    });
    if holds {
        let kills = lane.evidence(KILLED_AFTER_END)?;
        (holds, saw) = if_it_copies(&kills, |kills| (kills.is_right(), kills.to_string()));
    }
    Ok(verdict(
        holds,
        "the program is killed as soon as its transaction is committed, also before it knows that: the next run copies the \
         purchases that are missing, and it copies none twice",
        saw,
        "There must be no moment at which the records are committed and their offsets are not.",
    ))
}

fn offsets_in_transaction(lane: &Lane) -> Result<Verdict> {
    let (before, after) = (lane.evidence(IN_TRANSACTION)?, lane.evidence(AFTER_COMMIT)?);
    let (before_holds, saw_before) = if_it_copies(&before, |run| {
        let holds = run.tried && run.at_kill.agrees();
        (holds, side_by_side(&run.at_kill))
    });
    let (after_holds, saw_after) = if_it_copies(&after, |run| {
        let holds = run.transactions > 0 && run.at_kill.agrees();
        (holds, side_by_side(&run.at_kill))
    });
    let outside = lane.evidence(COPIED)?.commits_outside;
    let saw = match &*before {
        _ if outside > 0 => format!(
            "the consumer committed offsets outside of transactions, {outside} times in the first run"
        ),
        Tried::CopiesNothing(_) => saw_before,
        Tried::Ran(run) if !run.tried => NO_TRANSACTION.to_string(),
        Tried::Ran(_) => format!("before the commit, {saw_before}; after it, {saw_after}"),
    };
    Ok(verdict(
        before_holds && after_holds && outside == 0,
        "the consumer itself commits nothing; before the first transaction is committed, readers see none of its purchases, and \
         no offset has moved; right after the commit, the offsets are past exactly the purchases that readers see",
        saw,
        "Who commits the offsets: the consumer, or the transaction?",
    ))
}

fn side_by_side(snapshot: &Snapshot) -> String {
    format!(
        "readers saw {} of {} purchases, and the committed offsets were past {} of them",
        snapshot.visible, snapshot.of, snapshot.passed
    )
}

fn restart_waits_for_nobody(lane: &Lane) -> Result<Verdict> {
    let limit = RECOVERY_LIMIT.as_secs();
    let run = lane.evidence(IN_TRANSACTION)?;
    let (holds, saw) = if_it_copies(&run, |run| {
        let saw = match (run.tried, run.in_time) {
            (true, true) => "no open transaction kept readers waiting".to_string(),
            (true, false) => format!(
                "readers still did not see all purchases after {limit} s: the open transaction kept them waiting, or the \
                 program copied nothing more. {}",
                run.seen.last_lines
            ),
            (false, _) => NO_TRANSACTION.to_string(),
        };
        (run.tried && run.in_time, saw)
    });
    let session = lane.evidence(COPIED)?.session_timeout;
    let (holds, saw) = match session.filter(|session| *session > RECOVERY_LIMIT) {
        Some(session) => (
            false,
            format!(
                "{saw}; but the consumer asks for a session timeout of {} s, and a killed member keeps its partitions for that \
                 long",
                session.as_secs()
            ),
        ),
        None => (holds, saw),
    };
    Ok(verdict(
        holds,
        format!(
            "the program is killed while a transaction is open, and started again: readers with `read_committed` see all \
             purchases within {limit} s"
        ),
        saw,
        "How does the broker recognize that the same producer has come back?",
    ))
}

fn second_fences_first(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(FENCED)?;
    let (mut holds, mut saw) = if_it_copies(&run, |run| {
        let (failed, first) = end_of(run.first);
        // Other checks judge whether every purchase is copied, and only once.
        let holds = failed && run.second_runs && run.seen.missing < run.seen.published;
        let second = if run.second_runs {
            "was still running"
        } else {
            "had ended"
        };
        let saw = format!(
            "the first instance {first}, and the second one {second}; {} of {} purchases were copied",
            run.seen.published - run.seen.missing,
            run.seen.published,
        );
        if holds {
            (true, saw)
        } else {
            (false, format!("{saw}. {}", run.first_lines))
        }
    });
    if holds {
        let paused = lane.evidence(PAUSED)?;
        let (failed, seen) = if_it_copies(&paused, |run| {
            if !run.reached {
                return (false, format!("then {NO_TRANSACTION}"));
            }
            let (failed, end) = end_of(run.first);
            let seen =
                format!("one that was paused before its commit until another took over {end}");
            (failed, seen)
        });
        holds = failed;
        saw += &format!("; {seen}");
    }
    Ok(verdict(
        holds,
        "when a second instance runs, the first one ends by itself with an exit status other than 0, even if it was paused in \
         a transaction, and the second one goes on copying",
        saw,
        "If two instances have the same transactional id, which one may commit, and what answer does the other one get?",
    ))
}

/// Whether an instance has failed, and what became of it in words. `status` is `None` if it was still running.
fn end_of(status: Option<ExitStatus>) -> (bool, String) {
    match status {
        Some(status) => (!status.success(), format!("ended ({status})")),
        None => (false, "was still running".to_string()),
    }
}

fn aborted_comes_again(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(REFUSED)?;
    let (holds, saw) = if_it_copies(&run, |run| {
        let seen = run.seen.as_text();
        let saw = if !run.refused {
            format!("the program sent no offsets that the broker could refuse; {seen}")
        } else if run.ended {
            format!("the program ended, and was started again; {seen}")
        } else if run.stuck {
            format!(
                "the program did not copy them in that run, and was killed and started again; {seen}"
            )
        } else {
            seen
        };
        (run.refused && run.seen.each_once(), saw)
    });
    Ok(verdict(
        holds,
        "the broker refuses the offsets for a while: in the end, readers see each purchase once, whether the same run copies \
         it or the next one",
        saw,
        "An aborted transaction takes back what was sent. Does it also move the consumer back to the start of the batch?",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::STOP_LIMIT;

    #[test]
    fn the_title_names_the_time_that_the_run_waits() {
        let stops = CHECKS
            .iter()
            .find(|check| check.id == "exactly_once.stops_on_ctrl_c");
        let seconds = format!(" {} s ", STOP_LIMIT.as_secs());
        assert!(stops.is_some_and(|check| check.title.contains(&seconds)));
    }
}
