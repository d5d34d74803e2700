//! Task 6: the checks of the extractor.

use anyhow::Result;

use crate::check::{Check, Verdict, stopped_on_ctrl_c, verdict};
use crate::exactly_once_runs::{
    Moment, RECOVERY_LIMIT, Seen, after_commit, copied, fenced, in_transaction, refused, resumed,
};
use crate::lane::Lane;

pub const CHECKS: &[Check] = &[
    Check {
        id: "exactly_once.copies_purchases",
        task: 6,
        points: 4,
        title: "copies each purchase that has an amount, and nothing else",
        judge: copies_purchases,
    },
    Check {
        id: "exactly_once.resumes",
        task: 6,
        points: 2,
        title: "goes on after a restart where it had stopped",
        judge: resumes,
    },
    Check {
        id: "exactly_once.stops_on_ctrl_c",
        task: 6,
        points: 1,
        title: "ends within 5 s of Ctrl-C",
        judge: stops_on_ctrl_c,
    },
    Check {
        id: "exactly_once.killed_in_transaction",
        task: 6,
        points: 4,
        title: "shows each purchase once after kills within a transaction",
        judge: killed_in_transaction,
    },
    Check {
        id: "exactly_once.killed_after_commit",
        task: 6,
        points: 3,
        title: "shows each purchase once after a kill when a transaction was committed",
        judge: killed_after_commit,
    },
    Check {
        id: "exactly_once.offsets_in_transaction",
        task: 6,
        points: 3,
        title: "moves the offsets with the purchases: both or neither",
        judge: offsets_in_transaction,
    },
    Check {
        id: "exactly_once.restart_waits_for_nobody",
        task: 6,
        points: 2,
        title: "ends on restart what a killed instance left open, so that readers wait for no timeout",
        judge: restart_waits_for_nobody,
    },
    Check {
        id: "exactly_once.second_fences_first",
        task: 6,
        points: 3,
        title: "is fenced by a second instance, and ends with an error",
        judge: second_fences_first,
    },
    Check {
        id: "exactly_once.aborted_comes_again",
        task: 6,
        points: 3,
        title: "loses nothing and repeats nothing when records are refused for a while",
        judge: aborted_comes_again,
    },
];

/// The verdict of a check that is about more than copying: whoever copies nothing does none of it right either.
fn of_one_that_copies(
    lane: &Lane,
    expected: &str,
    hint: &str,
    look: impl FnOnce() -> Result<(bool, String)>,
) -> Result<Verdict> {
    let run = lane.evidence(copied)?;
    let (holds, saw) = if run.any() {
        look()?
    } else {
        let saw = format!("no purchase was copied at all. {}", run.last_lines);
        (false, saw)
    };
    Ok(verdict(holds, expected, saw, hint))
}

fn copies_purchases(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(copied)?;
    let faults = &run.faults;
    let example = faults.example.as_ref();
    let example = example.map_or_else(String::new, |example| {
        format!(". The first of these: {example}")
    });
    Ok(verdict(
        run.seen.each_once() && faults.unwanted == 0 && faults.changed == 0,
        format!(
            "{} purchases with an amount in `clickstream`, so as many records in `purchases`, with the same keys and JSON of \
             the same meaning",
            run.seen.published
        ),
        format!(
            "{}; {} records are of other events, {} differ from their event{example}",
            run.seen.told(),
            faults.unwanted,
            faults.changed,
        ),
        "Which events are purchases with an amount? Key and value go on as they came.",
    ))
}

fn resumes(lane: &Lane) -> Result<Verdict> {
    of_one_that_copies(
        lane,
        "the next run copies each purchase that came after the stop, and none from before it again",
        "The group remembers where it stopped. Under which name does the program ask, and which offset is the next?",
        || {
            let seen = &lane.evidence(resumed)?.0;
            Ok((seen.each_once(), seen.told()))
        },
    )
}

fn stops_on_ctrl_c(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(copied)?;
    if run.any() {
        return Ok(stopped_on_ctrl_c(run.status, &run.last_lines));
    }
    of_one_that_copies(
        lane,
        "a program that copies, and ends on Ctrl-C",
        "Does it subscribe, and poll?",
        || Ok((false, String::new())),
    )
}

fn killed_in_transaction(lane: &Lane) -> Result<Verdict> {
    of_one_that_copies(
        lane,
        "killed when it is about to commit a transaction, and in the next run when its records are on their way: each purchase \
         is shown once after that",
        "What a killed instance left unfinished must not count: neither its records nor its offsets.",
        || {
            let run = lane.evidence(in_transaction)?;
            let saw = if run.tried {
                told_twice(&run.seen, &run.seen_again)
            } else {
                format!("it committed no transaction. {}", run.seen.told())
            };
            let once = run.seen.each_once() && run.seen_again.each_once();
            Ok((run.tried && once, saw))
        },
    )
}

fn told_twice(first: &Seen, second: &Seen) -> String {
    format!(
        "after the first kill: {}\nafter the second: {}",
        first.told(),
        second.told()
    )
}

fn killed_after_commit(lane: &Lane) -> Result<Verdict> {
    of_one_that_copies(
        lane,
        "killed as soon as its first transaction is committed: the next run copies what is missing, and nothing again",
        "Between the commit of the records and that of the offsets there must be no time to be killed in.",
        || {
            let run = lane.evidence(after_commit)?;
            let saw = if run.transactions > 0 {
                run.seen.told()
            } else {
                format!("it committed no transaction. {}", run.seen.told())
            };
            Ok((run.transactions > 0 && run.seen.each_once(), saw))
        },
    )
}

fn offsets_in_transaction(lane: &Lane) -> Result<Verdict> {
    of_one_that_copies(
        lane,
        "before its first transaction is committed, readers see none of it and no offset has moved; right after, the \
         offsets are past just what readers see",
        "Who commits the offsets: the consumer, or the transaction?",
        || {
            let before = lane.evidence(in_transaction)?;
            let after = lane.evidence(after_commit)?;
            let holds = before.tried
                && before.at_kill.agrees(&before.seen)
                && after.transactions > 0
                && after.at_kill.agrees(&after.seen);
            let saw = if before.tried {
                format!(
                    "before: {}; after: {}",
                    side_by_side(&before.at_kill),
                    side_by_side(&after.at_kill)
                )
            } else {
                "it committed no transaction".to_string()
            };
            Ok((holds, saw))
        },
    )
}

fn side_by_side(moment: &Moment) -> String {
    format!(
        "{} copies to be seen, offsets past {} of these purchases",
        moment.visible, moment.passed
    )
}

fn restart_waits_for_nobody(lane: &Lane) -> Result<Verdict> {
    let limit = RECOVERY_LIMIT.as_secs();
    of_one_that_copies(
        lane,
        &format!(
            "killed with a transaction open and started again: readers with `read_committed` see all within {limit} s"
        ),
        "By what does the broker know that it is the same producer that comes back?",
        || {
            let run = lane.evidence(in_transaction)?;
            let saw = match (run.tried, run.in_time) {
                (true, true) => "they did".to_string(),
                (true, false) => format!(
                    "after {limit} s they did not: the open transaction was in their way, or the program. {}",
                    run.seen.last_lines
                ),
                (false, _) => "it committed no transaction".to_string(),
            };
            Ok((run.tried && run.in_time, saw))
        },
    )
}

fn second_fences_first(lane: &Lane) -> Result<Verdict> {
    of_one_that_copies(
        lane,
        "once a second instance runs, the first one ends by itself with an exit status other than 0, and the second one copies \
         what there is",
        "Two instances with the same transactional id: which one may commit, and what is the other one told?",
        || {
            let run = lane.evidence(fenced)?;
            let failed = run.first.is_some_and(|status| !status.success());
            let saw = format!(
                "the first one {}; the second one {}; of {} purchases, {} missing",
                run.first.map_or_else(
                    || "was still running".to_string(),
                    |status| format!("ended: {status}")
                ),
                if run.second_runs {
                    "ran on"
                } else {
                    "had ended, too"
                },
                run.seen.published,
                run.seen.missing,
            );
            let holds = failed && run.second_runs && run.seen.missing == 0;
            let saw = if holds {
                saw
            } else {
                format!("{saw}. {}", run.first_lines)
            };
            Ok((holds, saw))
        },
    )
}

fn aborted_comes_again(lane: &Lane) -> Result<Verdict> {
    of_one_that_copies(
        lane,
        "`purchases` refuses records, then takes them again: each purchase is shown once, by the same run or by the next",
        "An aborted transaction undoes what was sent. Does it also take the consumer back to where the batch began?",
        || {
            let run = lane.evidence(refused)?;
            let saw = if run.refused {
                format!(
                    "{}{}",
                    if run.ended {
                        "it ended, and was started again: "
                    } else {
                        ""
                    },
                    run.seen.told()
                )
            } else {
                format!("no record came that could be refused. {}", run.seen.told())
            };
            Ok((run.refused && run.seen.each_once(), saw))
        },
    )
}
