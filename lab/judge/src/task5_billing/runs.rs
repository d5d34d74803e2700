//! Task 5: the runs of billing that its checks look at, and what each of them causes. Those under many kills are in
//! `billing_kills`.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::Result;
use broker::wait;
use common::{BILLING_SERVICE, PAYMENTS, PAYMENTS_DLQ};

use crate::bench::gate::Request;
use crate::bench::lane::Lane;
use crate::malformed_payments;
use crate::task5_billing::charges::{Bill, Charges};
use crate::task5_billing::desk::{AUTO_COMMIT, BATCH, Desk, HELD, Habits, LOCK_LIMIT, Look, QUIET};
use cluster::Payload;

/// How long the database stays locked: by then SQLite has told most programs so (after 5 s, in Python and rusqlite), and a
/// client has committed by itself (after 5 s as well, `auto.commit.interval.ms`).
const LOCKED: Duration = Duration::from_secs(12);

/// How long dead letters that nobody waits for may take to arrive.
const LETTERS: Duration = Duration::from_secs(3);

/// By the contract.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// A run that nothing was in the way of, stopped by Ctrl-C; and one after it, on new payments.
pub struct Read {
    pub habits: Habits,
    pub look: Look,
    pub bill: Bill,
    pub ends: Vec<i64>,
    /// The same of the second run.
    pub later: Look,
    pub later_bill: Bill,
    pub later_ends: Vec<i64>,
    pub status: Option<ExitStatus>,
    pub last_lines: String,
}

impl Read {
    /// Was all that is charged committed, each time?
    pub fn is_committed(&self) -> bool {
        self.look.is_committed_up_to(&self.ends) && self.later.is_committed_up_to(&self.later_ends)
    }
}

pub fn read(lane: &Lane) -> Result<Read> {
    let mut desk = Desk::open(lane)?;
    desk.publish(3 * BATCH, None)?;
    let mut program = lane.start("billing")?;
    let look = desk.finish(&mut program)?;
    let bill = desk.bill(&look);
    let ends = lane.kafka().ends(PAYMENTS)?;
    let joins = lane.owned(BILLING_SERVICE, PAYMENTS)? > 0;
    let charges = !look.charges.rows.is_empty();
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
    Ok(Read {
        habits,
        later_bill: desk.bill(&later),
        later_ends: lane.kafka().ends(PAYMENTS)?,
        look,
        bill,
        ends,
        later,
        status,
        last_lines,
    })
}

/// A desk, where it is known what the program did when nothing was in its way.
pub fn reopen<'a, 'pool>(lane: &'a Lane<'pool>) -> Result<Desk<'a, 'pool>> {
    Desk::reopen(lane, lane.evidence(read)?.habits)
}

/// As [`reopen`], where more is looked for than charges and commits: dead letters may come after those that there are.
fn reopen_for_letters<'a, 'pool>(lane: &'a Lane<'pool>) -> Result<Desk<'a, 'pool>> {
    let mut desk = reopen(lane)?;
    desk.habits = Habits {
        joins: desk.habits.joins,
        ..Habits::ALL
    };
    Ok(desk)
}

/// Two runs on payments that come more than once.
pub struct Repeated {
    /// The second time in the same partition or in another one, before the program was started.
    pub first: Bill,
    /// Charges for these before they came once more, to the restarted program; and after.
    pub before: Charges,
    pub after: Charges,
    /// Of the new payments that came between them.
    pub new: Bill,
    pub last_lines: String,
}

pub fn repeated(lane: &Lane) -> Result<Repeated> {
    let mut desk = reopen(lane)?;
    let (here, elsewhere) = (desk.publish(10, Some(0))?, desk.publish(10, Some(1))?);
    desk.publish_again(&here, Some(0))?;
    desk.publish_again(&elsewhere, Some(2))?;
    // Whoever does not get past them charges nothing behind them.
    for partition in 0..3 {
        desk.publish(1, Some(partition))?;
    }
    let mut program = lane.start("billing")?;
    let look = desk.finish(&mut program)?;
    let first = desk.bill(&look);
    let last_lines = program.last_lines();
    desk.kill(program)?;

    let known = desk.payments.clone();
    let new = desk.publish(BATCH, None)?;
    desk.publish_again(&known, Some(0))?;
    let later = desk.run_through()?;
    Ok(Repeated {
        first,
        before: look.charges.only(&known),
        after: later.charges.only(&known),
        new: later.charges.only(&new).compare(&new),
        last_lines,
    })
}

/// A run that was killed when it had charged a batch and its commit had not come to the broker; and one after it, on new
/// payments, too.
pub struct Killed {
    /// Did a commit come as far as the gate?
    pub tried: bool,
    pub at_kill: Look,
    pub bill: Bill,
    pub last_lines: String,
}

pub fn killed(lane: &Lane) -> Result<Killed> {
    let mut desk = reopen(lane)?;
    desk.publish(BATCH, None)?;
    lane.hold(Request::OffsetCommit);
    let mut program = lane.start("billing")?;
    let tried = desk.wait_until_held(&mut program)?;
    let at_kill = desk.look_and_note("before the kill")?;
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

/// A program that runs well until it cannot write to the database any more.
pub struct Locked {
    /// Did it commit anything before?
    pub commits: bool,
    /// Could the database be locked?
    pub locked: bool,
    pub before: Look,
    /// At the first glance that showed a commit, or when the program had given up, or had long been waiting.
    pub stalled: Look,
    /// Payments that the committed offsets say are done, and that are not in the database.
    pub ahead: usize,
}

pub fn locked(lane: &Lane) -> Result<Locked> {
    let mut desk = reopen(lane)?;
    desk.publish(BATCH, None)?;
    let mut program = lane.start("billing")?;
    let before = desk.finish(&mut program)?;
    let lock = lane.database()?.lock(LOCK_LIMIT)?;
    lane.note("from here on nobody can write to the database: somebody else has locked it");
    desk.publish(BATCH, None)?;
    if lock.is_some() {
        program.until(LOCKED, || Ok(desk.look()?.committed != before.committed))?;
    }
    let stalled = desk.look_and_note("while it is locked")?;
    let ahead = desk.ahead(&stalled)?;
    desk.kill(program)?;
    lane.note("the lock is gone");
    Ok(Locked {
        commits: before.committed.iter().any(Option::is_some),
        locked: lock.is_some(),
        before,
        stalled,
        ahead,
    })
}

/// A run on payments among which are messages that are none.
pub struct Malformed {
    /// How many of the malformed messages are dead letters, of how many.
    pub letters: usize,
    pub of: usize,
    /// Dead letters that are no malformed message.
    pub others: usize,
    pub bill: Bill,
    pub look: Look,
    pub last_lines: String,
}

pub fn malformed(lane: &Lane) -> Result<Malformed> {
    let mut desk = reopen_for_letters(lane)?;
    let mut malformed = malformed_payments(11);
    for (number, message) in (1..).zip(&mut malformed) {
        message.key = Some(format!("user_{number}").into_bytes());
    }
    malformed.push(Payload {
        key: None,
        ..malformed[0].clone()
    });
    desk.publish(4, Some(0))?;
    lane.send(PAYMENTS, Some(0), &malformed)?;
    desk.publish(BATCH, Some(0))?;
    desk.publish(4, None)?;
    let mut program = lane.start("billing")?;
    let look = desk.finish(&mut program)?;
    program.until(LETTERS, || Ok(dead_letters(lane)?.len() >= malformed.len()))?;
    let last_lines = program.last_lines();
    desk.kill(program)?;
    let letters = dead_letters(lane)?;
    Ok(Malformed {
        letters: malformed.iter().filter(|one| letters.contains(one)).count(),
        of: malformed.len(),
        others: letters
            .iter()
            .filter(|one| !malformed.contains(one))
            .count(),
        bill: desk.bill(&look),
        look,
        last_lines,
    })
}

fn dead_letters(lane: &Lane) -> Result<Vec<Payload>> {
    let records = lane.kafka().records(PAYMENTS_DLQ)?;
    Ok(records.into_iter().map(|record| record.payload).collect())
}

/// A run that was killed while its dead letter was not acknowledged, one that was killed when it was, but the commit was
/// not, and one after them.
pub struct Unacknowledged {
    /// Did a dead letter come as far as the gate?
    pub sent: bool,
    /// Had the committed offset passed it while it was not acknowledged?
    pub passed: bool,
    pub held: Look,
    /// Is it there in the end?
    pub arrived: bool,
    pub bill: Bill,
    pub last_lines: String,
}

pub fn unacknowledged(lane: &Lane) -> Result<Unacknowledged> {
    /// Where the malformed message lies.
    const AT: i64 = 1;
    lane.evidence(malformed)?;
    lane.begin_anew()?;
    let mut desk = reopen_for_letters(lane)?;
    desk.publish(1, Some(0))?;
    let malformed = malformed_payments(1);
    lane.send(PAYMENTS, Some(0), &malformed)?;
    desk.publish(BATCH - 2, None)?;
    let has_passed = |look: &Look| look.committed.first().copied().flatten() > Some(AT);

    lane.hold(Request::Produce);
    let mut program = lane.start("billing")?;
    desk.wait_until_joined(&mut program)?;
    desk.wait_while_it_charges(&mut program, AUTO_COMMIT, || {
        Ok(lane.is_holding() || has_passed(&desk.look()?))
    })?;
    let end = Instant::now() + HELD;
    while lane.is_holding() && Instant::now() < end && !has_passed(&desk.look()?) {
        wait::pass(Duration::from_millis(20))?;
    }
    let sent = lane.is_holding();
    let held = desk.look_and_note("the dead letter is not acknowledged")?;
    let last_lines = program.last_lines();
    desk.kill(program)?;
    lane.turn_away();

    lane.hold(Request::OffsetCommit);
    let mut program = lane.start("billing")?;
    desk.wait_until_held(&mut program)?;
    desk.kill(program)?;
    lane.turn_away();

    let look = desk.run_through()?;
    let letters = dead_letters(lane)?;
    Ok(Unacknowledged {
        sent,
        passed: has_passed(&held),
        held,
        arrived: letters.contains(&malformed[0]),
        bill: desk.bill(&look),
        last_lines,
    })
}
