//! Task 5: the checks of billing. They detect these mistakes:
//!
//! - A payment is charged twice: because it is in the topic twice, because a restarted program has forgotten what it
//!   charged, or because the program was killed between the write and the commit.
//! - A payment is never charged: because the committed offset moved ahead of the database, or because the program was
//!   killed between two writes that belong together.
//! - A user or an amount is wrong, or something that is not a payment is charged.
//! - A malformed message stops the program, or its dead letter is missing, changed, or lost in a kill.
//! - The program never commits, or does not end on Ctrl-C.

use anyhow::{Result, ensure};
use common::PAYMENTS_DLQ;

use crate::bench::lane::Lane;
use crate::task5_billing::charges::{Bill, Charges};
use crate::task5_billing::desk::{BATCH, Snapshot};
use crate::task5_billing::kills::{IN_WRITES, LastRun, ON_THE_WIRE};
use crate::task5_billing::runs::{
    BEHIND, FIRST_PAYMENTS, KILLED, LOCKED, LOCKED_FOR, MALFORMED, REPEATED, TWICE_ELSEWHERE,
    TWICE_HERE, UNACKNOWLEDGED, UNDISTURBED,
};
use crate::verdict::check::{Check, Verdict, stopped_on_ctrl_c, verdict};
use cluster::offsets;

pub const CHECKS: &[Check] = &[
    Check {
        id: "billing.charges_each_payment",
        clauses: &["B1", "E10"],
        task: 5,
        points: 3,
        title: "charges every payment to the right user, with the right amount",
        parts: &[charges_each_payment],
    },
    Check {
        id: "billing.commits",
        clauses: &["B3", "E6"],
        task: 5,
        points: 2,
        title: "commits what it has charged, and continues from there",
        parts: &[commits],
    },
    Check {
        id: "billing.stops_on_ctrl_c",
        clauses: &["E7"],
        task: 5,
        points: 1,
        title: "ends within 5 s of Ctrl-C",
        parts: &[stops_on_ctrl_c],
    },
    Check {
        id: "billing.charges_duplicates_once",
        clauses: &["B1"],
        task: 5,
        points: 3,
        title: "charges a payment that comes twice only once, even in two partitions",
        parts: &[charges_duplicates_once],
    },
    Check {
        id: "billing.knows_again_after_restart",
        clauses: &["B1"],
        task: 5,
        points: 2,
        title: "remembers after a restart what it has charged",
        parts: &[knows_again_after_restart],
    },
    Check {
        id: "billing.killed_before_commit",
        clauses: &["B2"],
        task: 5,
        points: 2,
        title: "charges nobody twice when it is killed between write and commit",
        parts: &[killed_before_commit],
    },
    Check {
        id: "billing.offsets_never_ahead",
        clauses: &["B4"],
        task: 5,
        points: 3,
        title: "commits nothing that is not in the database",
        parts: &[offsets_never_ahead],
    },
    Check {
        id: "billing.dead_letters",
        clauses: &["B5"],
        task: 5,
        points: 3,
        title: "sends messages that are not payments to payments.dlq, unchanged",
        parts: &[dead_letters],
    },
    Check {
        id: "billing.goes_on_past_malformed",
        clauses: &["B7"],
        task: 5,
        points: 2,
        title: "charges the payments after a malformed message, but not the message itself",
        parts: &[goes_on_past_malformed],
    },
    Check {
        id: "billing.dead_letter_before_offset",
        clauses: &["B6"],
        task: 5,
        points: 2,
        title: "commits past a malformed message only after its dead letter is acknowledged",
        parts: &[dead_letter_before_offset, dead_letters_survive_kills],
    },
    Check {
        id: "billing.survives_kills",
        clauses: &["B2"],
        task: 5,
        points: 2,
        title: "charges everybody once, no matter when it is killed",
        parts: &[survives_kills_on_the_wire, survives_kills_in_writes],
    },
];

/// What was charged. If something is wrong with it, also the last lines of the program.
fn charged(bill: &Bill, snapshot: &Snapshot, last_lines: &str) -> String {
    if bill.is_right() {
        format!("{bill}; {snapshot}")
    } else {
        format!("{bill}; {snapshot}. {last_lines}")
    }
}

fn charges_each_payment(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(UNDISTURBED)?;
    Ok(verdict(
        run.bill.is_right() && run.later_bill.is_right(),
        format!(
            "the table charges has one row for each of {FIRST_PAYMENTS} payments, with its user and its amount; after a \
             restart, also one for each of {BATCH} new payments"
        ),
        if run.bill.is_right() {
            format!("after the restart: {}; {}", run.later_bill, run.later)
        } else {
            charged(&run.bill, &run.snapshot, &run.last_lines)
        },
        "Compare the rows of the table with the payments that were published. `cargo lab pay` prints the sum for each \
         user.",
    ))
}

fn commits(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(UNDISTURBED)?;
    Ok(verdict(
        run.habits.charges && run.is_committed(),
        "when all payments are charged, the committed offset of each partition is at the partition's end; the same is true \
         after a restart",
        if run.habits.charges {
            format!(
                "{}; after the restart, {}",
                against_ends(&run.snapshot, &run.ends),
                against_ends(&run.later, &run.later_ends)
            )
        } else {
            format!("the program charged nothing. {}", run.last_lines)
        },
        "The committed offset says where the next run starts. Where should it start when everything is charged?",
    ))
}

/// The committed offsets, beside the ends of the partitions.
fn against_ends(snapshot: &Snapshot, ends: &[i64]) -> String {
    let ends: Vec<Option<i64>> = ends.iter().copied().map(Some).collect();
    format!(
        "the committed offsets were {}, and the ends of the partitions were {}",
        offsets(&snapshot.committed),
        offsets(&ends)
    )
}

fn stops_on_ctrl_c(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(UNDISTURBED)?;
    Ok(if run.habits.charges {
        stopped_on_ctrl_c(run.status, &run.last_lines)
    } else {
        verdict(
            false,
            "the program charges payments, and it ends on Ctrl-C",
            format!("the program charged nothing. {}", run.last_lines),
            "Does your program subscribe to the topic, and does it poll?",
        )
    })
}

fn charges_duplicates_once(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(REPEATED)?;
    Ok(verdict(
        run.first.is_right(),
        format!(
            "{} payments are in the topic twice, {TWICE_ELSEWHERE} of them in two partitions, and {BEHIND} other payments \
             come after them: each payment is charged once",
            TWICE_HERE + TWICE_ELSEWHERE
        ),
        if run.first.is_right() {
            run.first.to_string()
        } else {
            format!("{}. {}", run.first, run.last_lines)
        },
        "How can your program recognize that two messages are the same payment? They have different offsets, and \
         sometimes different partitions.",
    ))
}

fn knows_again_after_restart(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(REPEATED)?;
    let of = |charges: &Charges| (charges.rows.len(), charges.cents());
    let is_same = of(&run.before) == of(&run.after);
    Ok(verdict(
        !run.before.rows.is_empty() && is_same && run.new.is_right(),
        format!(
            "after a restart, payments that are already charged come again, together with {BATCH} new ones: the old ones \
             are not charged again, and each new one is charged once"
        ),
        format!(
            "for the old payments, {} before they came again, and {} after; for the {BATCH} new payments: {}",
            run.before, run.after, run.new
        ),
        "After a restart, how does your program know what it charged in earlier runs? Where is that stored?",
    ))
}

fn killed_before_commit(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(KILLED)?;
    Ok(verdict(
        run.tried && run.bill.is_right(),
        format!(
            "the program is killed before its commit reaches the broker, and then started again: every payment is charged \
             once, including {BATCH} new ones"
        ),
        if run.tried {
            format!(
                "before the kill: {}; after the restart: {}",
                run.at_kill, run.bill
            )
        } else {
            format!(
                "the program sent no commit, so it could not be killed before one. {}",
                run.last_lines
            )
        },
        "After the restart, the batch is delivered again. What makes the second write harmless?",
    ))
}

fn offsets_never_ahead(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(LOCKED)?;
    Ok(verdict(
        run.commits && run.reached && run.ahead == 0,
        no_commit_while_locked(),
        if !run.commits {
            format!(
                "the program never commits, even while it can write to the database: {}",
                run.before
            )
        } else if run.ahead > 0 {
            format!(
                "{} payments count as done, but are not in the database: {}",
                run.ahead, run.stalled
            )
        } else if run.reached {
            format!("while it was locked: {}", run.stalled)
        } else if run.locked {
            format!(
                "the program received none of the payments that were published while the database was locked: {}. {}",
                run.stalled, run.last_lines
            )
        } else {
            format!(
                "nobody else could lock the database, because the program itself kept it locked; {}",
                run.stalled
            )
        },
        "Who commits, and when? What happens if the write fails after the commit, or never takes place?",
    ))
}

/// What a right program does in [`LOCKED`].
fn no_commit_while_locked() -> String {
    format!(
        "the program commits what it charges; when another process locks the database for {} s, the program cannot write, \
         so it commits nothing more",
        LOCKED_FOR.as_secs()
    )
}

fn dead_letters(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(MALFORMED)?;
    let of_payments = lane.evidence(REPEATED)?.letters;
    Ok(verdict(
        run.letters == run.of && run.others == 0 && of_payments == 0,
        format!(
            "{} messages are not payments, each for a different reason; {PAYMENTS_DLQ} contains all of them, with the same \
             key and the same bytes, and nothing else. A payment that comes twice is no dead letter",
            run.of
        ),
        format!(
            "{PAYMENTS_DLQ} contains {} of them, and {} other messages; dead letters when all messages were payments: \
             {of_payments}; {}",
            run.letters, run.others, run.snapshot
        ),
        "What makes a message a payment? A person who examines a dead letter needs the whole message, exactly as it came.",
    ))
}

fn goes_on_past_malformed(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(MALFORMED)?;
    Ok(verdict(
        run.bill.is_right(),
        "the payments before and after the malformed messages are charged once, and nothing else is charged",
        charged(&run.bill, &run.snapshot, &run.last_lines),
        "A malformed message stays malformed, however often you retry. What must happen to it before the next message gets \
         its turn?",
    ))
}

/// The hint of each part of `billing.dead_letter_before_offset`.
const WHO_WAITS: &str = "Sent does not mean delivered. Who waits for the broker's answer, and what must not happen before it?";

fn dead_letter_before_offset(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(UNACKNOWLEDGED)?;
    let saw = if run.sent {
        format!(
            "before the acknowledgment, the committed offset {} past the message ({}); in the end, the dead letter was {}",
            if run.passed { "moved" } else { "did not move" },
            run.held,
            if run.arrived { "there" } else { "lost" }
        )
    } else {
        format!(
            "the program sent no dead letter: {}. {}",
            run.held, run.last_lines
        )
    };
    Ok(verdict(
        run.sent && !run.passed && run.arrived,
        format!(
            "until a dead letter is acknowledged, the committed offset does not move past its message; after a kill at this \
             moment, the dead letter is in {PAYMENTS_DLQ}"
        ),
        saw,
        WHO_WAITS,
    ))
}

fn dead_letters_survive_kills(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(ON_THE_WIRE)?;
    Ok(verdict(
        run.letters_missing == 0,
        format!("after kills around each request, every dead letter is in {PAYMENTS_DLQ}"),
        format!(
            "of {} messages in runs that were {}, {} never became dead letters",
            run.malformed, run.kills, run.letters_missing
        ),
        WHO_WAITS,
    ))
}

/// The hint of each part of `billing.survives_kills`.
const BETWEEN_STEPS: &str = "What if your program is killed or paused between any two of its steps? Things that belong together must \
                             be written together, and only the database knows what is charged.";

fn survives_kills_on_the_wire(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(ON_THE_WIRE)?;
    Ok(verdict(
        run.last.bill.is_right() && run.is_reached(),
        format!(
            "the program is killed around each of its requests, and cut off from the broker: every one of {} payments is charged \
             once",
            run.last.payments
        ),
        format!("{run}; {}", charged_at_last(&run.last)),
        BETWEEN_STEPS,
    ))
}

fn survives_kills_in_writes(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(IN_WRITES)?;
    let between = lane.evidence(UNACKNOWLEDGED)?;
    // A program that charges rightly has written, so it could have been killed while it wrote. If it was not, we were too late.
    ensure!(
        run.kills == run.of || !run.last.bill.is_right(),
        "the program could be killed at only {} of {} of its writes to the database. Judge it again when the machine is less busy",
        run.kills,
        run.of
    );
    let saw = if !between.bill.is_right() && run.last.bill.is_right() {
        format!(
            "after a kill between dead letter and commit: {}",
            between.bill
        )
    } else {
        charged_at_last(&run.last)
    };
    Ok(verdict(
        run.last.bill.is_right() && between.bill.is_right() && run.is_reached(),
        format!(
            "it is killed around its writes to the database, and between a dead letter and its commit, and paused while another \
             instance takes over: every one of {} payments is charged once",
            run.last.payments
        ),
        format!("{run}; {saw}"),
        BETWEEN_STEPS,
    ))
}

fn charged_at_last(run: &LastRun) -> String {
    charged(&run.bill, &run.snapshot, &run.last_lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::STOP_LIMIT;

    #[test]
    fn texts_name_the_times_that_the_runs_wait() {
        let seconds = |limit: std::time::Duration| format!(" {} s", limit.as_secs());
        assert!(no_commit_while_locked().contains(&seconds(LOCKED_FOR)));
        let stops = CHECKS
            .iter()
            .find(|check| check.id == "billing.stops_on_ctrl_c");
        assert!(stops.is_some_and(|check| check.title.contains(&seconds(STOP_LIMIT))));
    }
}
