//! Task 5: the scenarios of billing: what each of them causes, and what is seen. The one with many kills is in `kills.rs`.

use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Result;
use broker::wait;
use common::{BILLING_SERVICE, PAYMENTS, PAYMENTS_DLQ};

use crate::bench::fetches::bytes_received;
use crate::bench::gate::RequestKind;
use crate::bench::lane::{Lane, Scenario};
use crate::client_timers::AUTO_COMMIT;
use crate::contract::STOP_LIMIT;
use crate::malformed_payments;
use crate::task5_billing::charges::{Bill, Charges};
use crate::task5_billing::desk::{BATCH, Desk, HELD, Habits, LOCK_LIMIT, QUIET, Snapshot};
use crate::task5_billing::rows::charges;
use cluster::Payload;

/// How long the database stays locked. By then, SQLite has given up in most programs (after 5 s, in Python and in rusqlite),
/// and a client that commits by itself has done so (after 5 s as well, `auto.commit.interval.ms`).
pub(super) const LOCKED_FOR: Duration = Duration::from_secs(12);

/// How many payments the first run of a program finds. One of them has only what makes a payment.
pub(super) const FIRST_PAYMENTS: u64 = 3 * BATCH;

/// How many payments come twice in the same partition, and how many in two partitions.
pub(super) const TWICE_HERE: u64 = 10;
pub(super) const TWICE_ELSEWHERE: u64 = 10;

/// How many other payments come after them: one in each partition.
pub(super) const BEHIND: i32 = 3;

/// How long dead letters that nobody waits for may take to arrive.
pub(super) const LETTERS: Duration = Duration::from_secs(3);

/// A run that nothing disturbs, stopped with Ctrl-C; and the next run, on new payments.
pub struct Undisturbed {
    pub habits: Habits,
    pub snapshot: Snapshot,
    pub bill: Bill,
    pub ends: Vec<i64>,
    /// The same after the second run.
    pub later: Snapshot,
    pub later_bill: Bill,
    pub later_ends: Vec<i64>,
    pub status: Option<ExitStatus>,
    pub last_lines: String,
}

impl Undisturbed {
    /// Whether everything that was charged was committed, both times.
    pub fn is_committed(&self) -> bool {
        self.snapshot.is_committed_up_to(&self.ends)
            && self.later.is_committed_up_to(&self.later_ends)
    }
}

pub const UNDISTURBED: Scenario<Undisturbed> = Scenario {
    name: "undisturbed",
    run: undisturbed,
};

fn undisturbed(lane: &Lane) -> Result<Undisturbed> {
    let mut desk = Desk::open(lane)?;
    desk.publish(FIRST_PAYMENTS - 1, None)?;
    desk.publish_bare()?;
    let mut program = lane.start("billing")?;
    let snapshot = desk.finish(&mut program)?;
    let bill = desk.bill(&snapshot);
    let ends = lane.kafka().ends(PAYMENTS)?;
    let joins = lane.owned(BILLING_SERVICE, PAYMENTS)? > 0;
    let charges = !snapshot.charges.rows.is_empty();
    let _ = program.interrupt();
    let status = program.end_within(STOP_LIMIT)?;
    let last_lines = program.last_lines();
    desk.kill(program)?;

    if !charges {
        desk.patience = QUIET;
    }
    desk.publish(BATCH, None)?;
    let later = desk.run_through()?;
    let habits = Habits {
        joins,
        charges,
        commits: later.committed.iter().any(Option::is_some),
        asks_to_commit: !lane.requests_of_programs("OFFSET_COMMIT")?.is_empty(),
    };
    Ok(Undisturbed {
        habits,
        later_bill: desk.bill(&later),
        later_ends: lane.kafka().ends(PAYMENTS)?,
        snapshot,
        bill,
        ends,
        later,
        status,
        last_lines,
    })
}

/// A desk for a program whose habits are known: what it did when nothing disturbed it.
pub fn reopen<'a, 'pool>(lane: &'a Lane<'pool>) -> Result<Desk<'a, 'pool>> {
    Desk::reopen(lane, lane.evidence(UNDISTURBED)?.habits)
}

/// As [`reopen`], for a scenario that also looks for dead letters: they may come after the last charge and commit.
fn reopen_for_letters<'a, 'pool>(lane: &'a Lane<'pool>) -> Result<Desk<'a, 'pool>> {
    let mut desk = reopen(lane)?;
    desk.habits = Habits {
        joins: desk.habits.joins,
        ..Habits::ALL
    };
    Ok(desk)
}

/// Two runs on payments that are published more than once.
pub struct Repeated {
    /// After payments came twice, in the same partition or in another one, before the program was started.
    pub first: Bill,
    /// The charges for these payments before they came once more, to the restarted program; and after.
    pub before: Charges,
    pub after: Charges,
    /// The bill of the new payments that came in between.
    pub new: Bill,
    /// How many dead letters there were in the end, although every message was a payment.
    pub letters: usize,
    pub last_lines: String,
}

pub const REPEATED: Scenario<Repeated> = Scenario {
    name: "repeated",
    run: repeated,
};

fn repeated(lane: &Lane) -> Result<Repeated> {
    let mut desk = reopen(lane)?;
    let letters_before = dead_letters(lane)?.len();
    let (here, elsewhere) = (
        desk.publish(TWICE_HERE, Some(0))?,
        desk.publish(TWICE_ELSEWHERE, Some(1))?,
    );
    desk.publish_again(&here, Some(0))?;
    desk.publish_again(&elsewhere, Some(2))?;
    // A program that does not get past them charges nothing behind them.
    for partition in 0..BEHIND {
        desk.publish(1, Some(partition))?;
    }
    let mut program = lane.start("billing")?;
    let snapshot = desk.finish(&mut program)?;
    let first = desk.bill(&snapshot);
    let last_lines = program.last_lines();
    desk.kill(program)?;

    let known = desk.payments.clone();
    desk.publish_again(&known, Some(0))?;
    let mut new = desk.publish(BATCH - 1, None)?;
    // When this one is charged, the program has got past the old ones.
    new.extend(desk.publish(1, Some(0))?);
    let later = desk.run_through()?;
    Ok(Repeated {
        first,
        before: snapshot.charges.only(&known),
        after: later.charges.only(&known),
        new: later.charges.only(&new).compare(&new),
        letters: dead_letters(lane)?.len() - letters_before,
        last_lines,
    })
}

/// A run that is killed after it has charged a batch, and before its commit reaches the broker; and the next run, which also
/// finds new payments.
pub struct Killed {
    /// Whether a commit reached the gate.
    pub tried: bool,
    pub at_kill: Snapshot,
    pub bill: Bill,
    pub last_lines: String,
}

pub const KILLED: Scenario<Killed> = Scenario {
    name: "killed",
    run: killed,
};

fn killed(lane: &Lane) -> Result<Killed> {
    let mut desk = reopen(lane)?;
    desk.publish(BATCH, None)?;
    lane.hold(RequestKind::OffsetCommit);
    let mut program = lane.start("billing")?;
    let tried = desk.wait_until_held(&mut program)?;
    let at_kill = desk.snapshot_and_note("before the kill")?;
    let last_lines = program.last_lines();
    desk.kill(program)?;
    lane.turn_away();
    desk.publish(BATCH, None)?;
    let after = desk.run_through()?;
    Ok(Killed {
        tried,
        at_kill,
        bill: desk.bill(&after),
        last_lines,
    })
}

/// A run that goes well until the program cannot write to the database any more.
pub struct Locked {
    /// Whether it committed anything before.
    pub commits: bool,
    /// Whether we could lock the database.
    pub locked: bool,
    /// Whether the broker sent it payments that were published while the database was locked, or it committed more.
    pub reached: bool,
    pub before: Snapshot,
    /// When a commit was seen, or the program had ended, or the lock had lasted long enough.
    pub stalled: Snapshot,
    /// How many payments lie before the committed offsets, and are not in the database.
    pub ahead: usize,
    pub last_lines: String,
}

pub const LOCKED: Scenario<Locked> = Scenario {
    name: "locked",
    run: locked,
};

fn locked(lane: &Lane) -> Result<Locked> {
    let mut desk = reopen(lane)?;
    desk.publish(BATCH, None)?;
    let mut program = lane.start("billing")?;
    let before = desk.finish(&mut program)?;
    let lock = lane.database()?.lock(LOCK_LIMIT)?;
    let locked = lock.is_some();
    lane.note("from here on nobody can write to the database: somebody else has locked it");
    let received = bytes_received(lane)?;
    desk.publish(BATCH, None)?;
    let mut reached = false;
    if locked {
        let has_committed = || anyhow::Ok(desk.committed()? != before.committed);
        reached = program.until(desk.patience, || {
            Ok(has_committed()? || bytes_received(lane)? > received)
        })?;
        program.until(LOCKED_FOR, has_committed)?;
    }
    let committed = desk.committed()?;
    let last_lines = program.last_lines();
    desk.kill(program)?;
    drop(lock);
    // Nobody could write, so this is what the database held. When its last user has ended, a database with a write-ahead log
    // cannot be read while it is locked.
    let stalled = Snapshot {
        charges: charges(lane.database()?)?,
        committed,
    };
    lane.note(format!("while it was locked: {stalled}"));
    let ahead = desk.ahead(&stalled)?;
    Ok(Locked {
        commits: before.committed.iter().any(Option::is_some),
        locked,
        reached,
        before,
        stalled,
        ahead,
        last_lines,
    })
}

/// A run on payments, and on messages that are not payments.
pub struct Malformed {
    /// How many of the malformed messages are dead letters, and how many there are.
    pub letters: usize,
    pub of: usize,
    /// How many dead letters are not one of these messages.
    pub others: usize,
    pub bill: Bill,
    pub snapshot: Snapshot,
    pub last_lines: String,
}

pub const MALFORMED: Scenario<Malformed> = Scenario {
    name: "malformed",
    run: malformed,
};

fn malformed(lane: &Lane) -> Result<Malformed> {
    let mut desk = reopen_for_letters(lane)?;
    let before = dead_letters(lane)?;
    let mut malformed = malformed_payments(12);
    for (number, message) in (1..).zip(&mut malformed) {
        message.key = Some(format!("user_{number}").into_bytes());
    }
    malformed.push(Payload {
        key: None,
        ..malformed[0].clone()
    });
    malformed.push(Payload {
        key: Some(b"user_without_a_value".to_vec()),
        value: None,
    });
    desk.publish(4, Some(0))?;
    lane.send(PAYMENTS, Some(0), &malformed)?;
    desk.publish(BATCH, Some(0))?;
    desk.publish(4, None)?;
    let mut program = lane.start("billing")?;
    let snapshot = desk.finish(&mut program)?;
    program.until(LETTERS, || Ok(dead_letters(lane)?.len() >= malformed.len()))?;
    let last_lines = program.last_lines();
    desk.kill(program)?;
    let letters = dead_letters(lane)?;
    Ok(Malformed {
        letters: malformed.iter().filter(|one| letters.contains(one)).count(),
        of: malformed.len(),
        others: letters
            .iter()
            .filter(|one| !malformed.contains(one) && !before.contains(one))
            .count(),
        bill: desk.bill(&snapshot),
        snapshot,
        last_lines,
    })
}

pub fn dead_letters(lane: &Lane) -> Result<Vec<Payload>> {
    let records = lane.kafka().records(PAYMENTS_DLQ)?;
    Ok(records.into_iter().map(|record| record.payload).collect())
}

/// Three runs: the first is killed while its dead letter is not acknowledged, the second before its commit is acknowledged;
/// the third is left alone.
pub struct Unacknowledged {
    /// Whether a dead letter reached the gate.
    pub sent: bool,
    /// Whether the committed offset moved past its message while it was not acknowledged.
    pub passed: bool,
    pub held: Snapshot,
    /// Whether it arrived in the end.
    pub arrived: bool,
    pub bill: Bill,
    pub last_lines: String,
}

pub const UNACKNOWLEDGED: Scenario<Unacknowledged> = Scenario {
    name: "unacknowledged",
    run: unacknowledged,
};

fn unacknowledged(lane: &Lane) -> Result<Unacknowledged> {
    let mut desk = reopen_for_letters(lane)?;
    desk.publish(1, Some(0))?;
    // The malformed message comes next.
    let at = lane.kafka().ends(PAYMENTS)?.first().copied();
    let mut malformed = malformed_payments(1);
    // No other scenario has sent this one.
    malformed[0].key = Some(b"user_unacknowledged".to_vec());
    lane.send(PAYMENTS, Some(0), &malformed)?;
    desk.publish(BATCH - 2, None)?;
    let has_passed = |snapshot: &Snapshot| snapshot.committed.first().copied().flatten() > at;

    lane.hold(RequestKind::Produce);
    let mut program = lane.start("billing")?;
    desk.wait_until_joined(&mut program)?;
    desk.wait_while_it_charges(&mut program, AUTO_COMMIT, || {
        Ok(lane.is_holding() || has_passed(&desk.snapshot()?))
    })?;
    wait::pass_unless(HELD, || {
        let is_over = !lane.is_holding() || has_passed(&desk.snapshot()?);
        Ok(is_over.then_some(()))
    })?;
    let sent = lane.is_holding();
    let held = desk.snapshot_and_note("the dead letter is not acknowledged")?;
    let last_lines = program.last_lines();
    desk.kill(program)?;
    lane.turn_away();

    lane.hold(RequestKind::OffsetCommit);
    let mut program = lane.start("billing")?;
    desk.wait_until_held(&mut program)?;
    desk.kill(program)?;
    lane.turn_away();

    let snapshot = desk.run_through()?;
    let letters = dead_letters(lane)?;
    Ok(Unacknowledged {
        sent,
        passed: has_passed(&held),
        held,
        arrived: letters.contains(&malformed[0]),
        bill: desk.bill(&snapshot),
        last_lines,
    })
}
