//! Task 6: the checks of the extractor.

use anyhow::Result;

use crate::bench::lane::Lane;
use crate::task6_exactly_once::run::RECOVERY_LIMIT;
use crate::task6_exactly_once::runs::{
    Moment, Resumed, Tried, after_commit, copied, fenced, in_transaction, refused, resumed,
};
use crate::verdict::check::{Check, Verdict, stopped_on_ctrl_c, verdict};

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
        title: "loses nothing and repeats nothing when a transaction fails",
        judge: aborted_comes_again,
    },
];

/// Whether a run was as it should be, and what was seen. Whoever copies nothing does none of it right either.
fn look<T>(run: &Tried<T>, look: impl FnOnce(&T) -> (bool, String)) -> (bool, String) {
    match run {
        Tried::Ran(run) => look(run),
        Tried::CopiesNothing(last_lines) => (false, copies_nothing(last_lines)),
    }
}

fn copies_nothing(last_lines: &str) -> String {
    format!("left alone, it copied no purchase at all. {last_lines}")
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
    let run = lane.evidence(resumed)?;
    let (holds, saw) = look(&run, |Resumed(seen)| (seen.each_once(), seen.told()));
    Ok(verdict(
        holds,
        "the next run copies each purchase that came after the stop, and none from before it again",
        saw,
        "The group remembers where it stopped. Under which name does the program ask, and which offset is the next?",
    ))
}

fn stops_on_ctrl_c(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(copied)?;
    Ok(if run.any() {
        stopped_on_ctrl_c(run.status, &run.last_lines)
    } else {
        verdict(
            false,
            "a program that copies, and ends on Ctrl-C",
            copies_nothing(&run.last_lines),
            "Does it subscribe, and poll?",
        )
    })
}

/// What is said of a program that never asks for a transaction's end.
const NO_TRANSACTION: &str = "it committed no transaction";

fn killed_in_transaction(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(in_transaction)?;
    let (holds, saw) = look(&run, |run| {
        let once = run.seen.each_once() && run.seen_again.each_once();
        let told = format!(
            "after the first kill: {}; after the second: {}",
            run.seen.told(),
            run.seen_again.told()
        );
        if run.tried {
            (once, told)
        } else {
            (false, format!("{NO_TRANSACTION}; {told}"))
        }
    });
    Ok(verdict(
        holds,
        "killed when it is about to commit a transaction, and in the next run when its records are on their way: each \
         purchase is shown once after that",
        saw,
        "What a killed instance left unfinished must not count: neither its records nor its offsets.",
    ))
}

fn killed_after_commit(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(after_commit)?;
    let (holds, saw) = look(&run, |run| {
        if run.transactions > 0 {
            (run.seen.each_once(), run.seen.told())
        } else {
            (false, format!("{NO_TRANSACTION}; {}", run.seen.told()))
        }
    });
    Ok(verdict(
        holds,
        "killed as soon as its first transaction is committed: the next run copies what is missing, and nothing again",
        saw,
        "Between the commit of the records and that of the offsets there must be no time to be killed in.",
    ))
}

fn offsets_in_transaction(lane: &Lane) -> Result<Verdict> {
    let (before, after) = (lane.evidence(in_transaction)?, lane.evidence(after_commit)?);
    let (before_holds, saw_before) = look(&before, |run| {
        let holds = run.tried && run.at_kill.agrees();
        (holds, side_by_side(&run.at_kill))
    });
    let (after_holds, saw_after) = look(&after, |run| {
        let holds = run.transactions > 0 && run.at_kill.agrees();
        (holds, side_by_side(&run.at_kill))
    });
    let saw = match &*before {
        Tried::CopiesNothing(_) => saw_before,
        Tried::Ran(run) if !run.tried => NO_TRANSACTION.to_string(),
        Tried::Ran(_) => format!("before: {saw_before}; after: {saw_after}"),
    };
    Ok(verdict(
        before_holds && after_holds,
        "before its first transaction is committed, readers see none of it and no offset has moved; right after, the offsets \
         are past just what readers see",
        saw,
        "Who commits the offsets: the consumer, or the transaction?",
    ))
}

fn side_by_side(moment: &Moment) -> String {
    format!(
        "{} copies to be seen, offsets past {} of these purchases",
        moment.visible, moment.passed
    )
}

fn restart_waits_for_nobody(lane: &Lane) -> Result<Verdict> {
    let limit = RECOVERY_LIMIT.as_secs();
    let run = lane.evidence(in_transaction)?;
    let (holds, saw) = look(&run, |run| {
        let saw = match (run.tried, run.in_time) {
            (true, true) => "they did".to_string(),
            (true, false) => format!(
                "after {limit} s they did not: the open transaction was in their way, or the program. {}",
                run.seen.last_lines
            ),
            (false, _) => NO_TRANSACTION.to_string(),
        };
        (run.tried && run.in_time, saw)
    });
    Ok(verdict(
        holds,
        format!(
            "killed with a transaction open and started again: readers with `read_committed` see all within {limit} s"
        ),
        saw,
        "By what does the broker know that it is the same producer that comes back?",
    ))
}

fn second_fences_first(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(fenced)?;
    let (holds, saw) = look(&run, |run| {
        let failed = run.first.is_some_and(|status| !status.success());
        // Whether all is there, and once, is the other checks' affair.
        let holds = failed && run.second_runs && run.seen.missing < run.seen.published;
        let first = match run.first {
            Some(status) => format!("ended: {status}"),
            None => "was still running".to_string(),
        };
        let second = if run.second_runs {
            "ran on"
        } else {
            "had ended, too"
        };
        let saw = format!(
            "the first one {first}; the second one {second}; of {} purchases, {} copied",
            run.seen.published,
            run.seen.published - run.seen.missing,
        );
        if holds {
            (true, saw)
        } else {
            (false, format!("{saw}. {}", run.first_lines))
        }
    });
    Ok(verdict(
        holds,
        "once a second instance runs, the first one ends by itself with an exit status other than 0, and the second one \
         copies on",
        saw,
        "Two instances with the same transactional id: which one may commit, and what is the other one told?",
    ))
}

fn aborted_comes_again(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(refused)?;
    let (holds, saw) = look(&run, |run| {
        let told = run.seen.told();
        let told = match (run.refused, run.ended) {
            (false, _) => format!("no offsets came that could be refused. {told}"),
            (true, true) => format!("it ended, and was started again: {told}"),
            (true, false) => told,
        };
        (run.refused && run.seen.each_once(), told)
    });
    Ok(verdict(
        holds,
        "the broker refuses the offsets for a while: each purchase is shown once in the end, by the same run or by the next",
        saw,
        "An aborted transaction undoes what was sent. Does it also take the consumer back to where the batch began?",
    ))
}
