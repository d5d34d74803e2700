//! Task 5: the checks of billing.

use anyhow::Result;
use common::PAYMENTS_DLQ;

use crate::bench::lane::Lane;
use crate::task5_billing::charges::{Bill, Charges};
use crate::task5_billing::desk::Look;
use crate::task5_billing::kills::survived;
use crate::task5_billing::runs::{killed, locked, malformed, read, repeated, unacknowledged};
use crate::verdict::check::{Check, Verdict, stopped_on_ctrl_c, verdict};
use cluster::offsets;

pub const CHECKS: &[Check] = &[
    Check {
        id: "billing.charges_each_payment",
        task: 5,
        points: 3,
        title: "charges every payment: this user, this amount",
        judge: charges_each_payment,
    },
    Check {
        id: "billing.commits",
        task: 5,
        points: 2,
        title: "commits what it has charged, and goes on there",
        judge: commits,
    },
    Check {
        id: "billing.stops_on_ctrl_c",
        task: 5,
        points: 1,
        title: "ends within 5 s of Ctrl-C",
        judge: stops_on_ctrl_c,
    },
    Check {
        id: "billing.charges_duplicates_once",
        task: 5,
        points: 3,
        title: "charges once what comes twice, also in two partitions",
        judge: charges_duplicates_once,
    },
    Check {
        id: "billing.knows_again_after_restart",
        task: 5,
        points: 2,
        title: "knows after a restart what it has charged",
        judge: knows_again_after_restart,
    },
    Check {
        id: "billing.killed_before_commit",
        task: 5,
        points: 2,
        title: "charges nobody twice when it was killed between write and commit",
        judge: killed_before_commit,
    },
    Check {
        id: "billing.offsets_never_ahead",
        task: 5,
        points: 3,
        title: "commits nothing that is not in the database",
        judge: offsets_never_ahead,
    },
    Check {
        id: "billing.dead_letters",
        task: 5,
        points: 3,
        title: "sends what is no payment to payments.dlq, as it is",
        judge: dead_letters,
    },
    Check {
        id: "billing.goes_on_past_malformed",
        task: 5,
        points: 2,
        title: "charges what comes after a malformed message, and not the message",
        judge: goes_on_past_malformed,
    },
    Check {
        id: "billing.dead_letter_before_offset",
        task: 5,
        points: 2,
        title: "commits past a malformed message only once its dead letter is acknowledged",
        judge: dead_letter_before_offset,
    },
    Check {
        id: "billing.survives_kills",
        task: 5,
        points: 2,
        title: "charges everybody once, whenever it is killed",
        judge: survives_kills,
    },
];

/// What was charged; and where it is not right, what the program said last.
fn told(look: &Look, bill: &Bill, last_lines: &str) -> String {
    if bill.is_right() {
        format!("{look}: {bill}")
    } else {
        format!("{look}: {bill}. {last_lines}")
    }
}

fn charges_each_payment(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    Ok(verdict(
        run.bill.is_right() && run.later_bill.is_right(),
        "in the table charges, each of 60 payments with its user and its amount; and 20 more after a restart",
        if run.bill.is_right() {
            format!("after the restart, {}: {}", run.later, run.later_bill)
        } else {
            told(&run.look, &run.bill, &run.last_lines)
        },
        "Which rows does the table hold, and which payments were published? `cargo lab pay` tells the sums by user.",
    ))
}

fn commits(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    Ok(verdict(
        run.habits.charges && run.is_committed(),
        "when all is charged, committed offsets at the end of each partition",
        format!(
            "offsets {} where the ends are {:?}; after the restart {} where they are {:?}",
            offsets(&run.look.committed),
            run.ends,
            offsets(&run.later.committed),
            run.later_ends
        ),
        "A committed offset says where to go on: behind what is charged.",
    ))
}

fn stops_on_ctrl_c(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    Ok(if run.habits.charges {
        stopped_on_ctrl_c(run.status, &run.last_lines)
    } else {
        verdict(
            false,
            "a program that charges, and ends on Ctrl-C",
            format!("it charged nothing. {}", run.last_lines),
            "Does it subscribe, and poll?",
        )
    })
}

fn charges_duplicates_once(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(repeated)?;
    Ok(verdict(
        run.first.is_right(),
        "20 payments that are in the topic twice, 10 of them in two partitions, and 3 behind them: each charged once",
        if run.first.is_right() {
            run.first.to_string()
        } else {
            format!("{}. {}", run.first, run.last_lines)
        },
        "What says that two messages are the same payment? Not where they lie.",
    ))
}

fn knows_again_after_restart(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(repeated)?;
    let of = |charges: &Charges| (charges.rows.len(), charges.cents());
    let is_same = of(&run.before) == of(&run.after);
    Ok(verdict(
        !run.before.rows.is_empty() && is_same && run.new.is_right(),
        "after a restart, payments that were charged before come again: no new charges for them",
        format!(
            "for them {} before, {} after; of the 20 new payments between them: {}",
            run.before, run.after, run.new
        ),
        "What does the program know of its earlier runs, and where does it stand?",
    ))
}

fn killed_before_commit(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(killed)?;
    Ok(verdict(
        run.tried && run.bill.is_right(),
        "killed when its commit had not come to the broker, and started again: every payment charged once, and 20 new ones",
        if run.tried {
            format!(
                "before the kill, {}; after the restart, {}",
                run.at_kill, run.bill
            )
        } else {
            format!("no commit came that could be held back. {}", run.last_lines)
        },
        "The batch is delivered again. What makes the second time harmless?",
    ))
}

fn offsets_never_ahead(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(locked)?;
    Ok(verdict(
        run.commits && run.ahead == 0,
        "a program that cannot write to the database, because somebody else has locked it, commits no more, also 6 s later",
        if !run.commits {
            format!(
                "it commits nothing when it can write either: {}",
                run.before
            )
        } else if run.ahead > 0 {
            format!(
                "{}; so {} payments count as done that nobody was charged for",
                run.stalled, run.ahead
            )
        } else if run.locked {
            run.stalled.to_string()
        } else {
            format!("it keeps the database locked itself; {}", run.stalled)
        },
        "Who commits, and when? What happens if the write fails after that, or never comes?",
    ))
}

fn dead_letters(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(malformed)?;
    Ok(verdict(
        run.letters == run.of && run.others == 0,
        format!(
            "{} messages that are no payments, each for another reason: all of them in {PAYMENTS_DLQ}, the same key, the \
             same bytes",
            run.of
        ),
        format!(
            "{} of them, and {} other messages; {}",
            run.letters, run.others, run.look
        ),
        "What makes a payment? Whoever looks into a dead letter wants all of it, as it came.",
    ))
}

fn goes_on_past_malformed(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(malformed)?;
    Ok(verdict(
        run.bill.is_right(),
        "the payments before and after malformed messages charged once, and nothing else",
        told(&run.look, &run.bill, &run.last_lines),
        "No retry makes a payment of it. What has to become of the message, so that the next one has its turn?",
    ))
}

fn dead_letter_before_offset(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(unacknowledged)?;
    Ok(verdict(
        run.sent && !run.passed && run.arrived,
        format!(
            "while {PAYMENTS_DLQ} has not acknowledged a dead letter, no committed offset behind its message; killed then, and \
             killed once more before the commit, it is there in the end"
        ),
        if run.sent {
            format!(
                "{}; in the end the dead letter is {}",
                run.held,
                if run.arrived { "there" } else { "lost" }
            )
        } else {
            format!("no dead letter was sent: {}. {}", run.held, run.last_lines)
        },
        "Sent is not delivered. Who waits for the answer, and before what?",
    ))
}

fn survives_kills(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(survived)?;
    let between = lane.evidence(unacknowledged)?;
    Ok(verdict(
        run.bill.is_right() && between.bill.is_right(),
        format!(
            "{} payments, {} kills at chosen instants and {} at random ones: everybody charged once",
            run.payments,
            run.chosen + 2,
            run.random
        ),
        if run.bill.is_right() && !between.bill.is_right() {
            format!("killed between dead letter and commit: {}", between.bill)
        } else {
            told(&run.look, &run.bill, &run.last_lines)
        },
        "What if it dies between any two of its steps? What belongs together has to be written in one go.",
    ))
}
