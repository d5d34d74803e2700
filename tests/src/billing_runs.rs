//! Task 5: the runs of billing that its checks look at, and what each of them causes.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::Result;
use broker::wait;
use common::{BILLING_SERVICE, PAYMENTS, PAYMENTS_DLQ, Payment};
use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::charges::{Bill, Charges};
use crate::gate::Request;
use crate::group::is_past;
use crate::kafka::{Payload, Record};
use crate::lane::Lane;
use crate::{Program, as_payloads, malformed_payments, offsets, random_payments};

/// So many payments are published at a time: enough for a batch.
const BATCH: u64 = 20;

/// So many at a time where a program is to have work left when it is killed.
const MANY: u64 = 20 * BATCH;

/// How long a program may take to join and to charge.
const LIMIT: Duration = Duration::from_secs(20);

/// How long nothing may change before a program counts as having done all that it will do.
const QUIET: Duration = Duration::from_secs(5);

/// Longer than the 5 s after which a client commits by itself (`auto.commit.interval.ms`).
const AUTO_COMMIT: Duration = Duration::from_secs(6);

/// How long a dead letter stays unacknowledged, and how long a program that cannot write is left to itself before a kill.
const HELD: Duration = Duration::from_millis(600);
const LOCKED: Duration = Duration::from_millis(400);

/// How long the database may be kept from us; and how long a single transaction may take to be seen.
const LOCK_LIMIT: Duration = Duration::from_secs(1);
const STEP_LIMIT: Duration = Duration::from_millis(300);

/// How long the stepping through one batch may take.
const STEPS_LIMIT: Duration = Duration::from_secs(3);

/// How long a program is left to itself of which no member, or no commit, was ever seen.
const UNSEEN: Duration = Duration::from_secs(1);

/// By the contract.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Kills come at most so long after a program owns its partitions. The first payments come some 100 ms after that, and a
/// batch of them is charged in about ten.
const RANDOM_KILL: Duration = Duration::from_millis(250);

/// All kills together take no longer than this, also of a program that hardly comes to work.
const KILLS_LIMIT: Duration = Duration::from_secs(60);

/// Kills at random instants.
const RANDOM_KILLS: usize = 20;

/// Payments, a database that held nothing before, and a program's runs on them.
struct Desk<'a, 'pool> {
    lane: &'a Lane<'pool>,
    /// What the topic held before. Whoever reads it again may charge it again: the database is another one.
    past: Vec<Payment>,
    /// Each payment once, however often it was published.
    payments: Vec<Payment>,
    /// How long a program may take that has not changed anything yet.
    patience: Duration,
    /// What it did when nothing was in its way. The rest is not waited for.
    habits: Habits,
}

/// What a program does when nothing is in its way.
#[derive(Clone, Copy)]
pub struct Habits {
    /// It owns partitions, as a member of the group.
    pub joins: bool,
    pub charges: bool,
    pub commits: bool,
}

impl Habits {
    const ALL: Self = Self {
        joins: true,
        charges: true,
        commits: true,
    };
}

/// What the database and the group hold at one moment.
pub struct Look {
    pub charges: Charges,
    pub committed: Vec<Option<i64>>,
}

impl<'a, 'pool> Desk<'a, 'pool> {
    fn open(lane: &'a Lane<'pool>) -> Result<Self> {
        let desk = Self::of(lane)?;
        let left = lane.kafka().ends(PAYMENTS)?;
        if !desk.look()?.is_committed_up_to(&left) {
            // What it could not get past has no part in what comes. Everybody else is spared the second that this takes.
            lane.begin_anew()?;
            return Self::of(lane);
        }
        Ok(desk)
    }

    fn of(lane: &'a Lane<'pool>) -> Result<Self> {
        lane.database()?.clear()?;
        lane.note("the database is a new one");
        let records = lane.kafka().records(PAYMENTS)?;
        let payments = records.iter().filter_map(payment);
        Ok(Self {
            lane,
            past: payments.collect(),
            payments: Vec::new(),
            patience: LIMIT,
            habits: Habits::ALL,
        })
    }

    /// As [`Desk::reopen`], where more is looked for than charges and commits: dead letters may come after those that there
    /// are.
    fn reopen_for_letters(lane: &'a Lane<'pool>) -> Result<Self> {
        let mut desk = Self::reopen(lane)?;
        desk.habits = Habits::ALL;
        Ok(desk)
    }

    /// As [`Desk::open`], where it is known what the program did when nothing was in its way.
    fn reopen(lane: &'a Lane<'pool>) -> Result<Self> {
        let habits = lane.evidence(read)?.habits;
        let mut desk = Self::open(lane)?;
        desk.habits = habits;
        if !habits.charges {
            desk.patience = QUIET;
        }
        Ok(desk)
    }

    fn publish(&mut self, count: u64, partition: Option<i32>) -> Result<Vec<Payment>> {
        let new = random_payments(count);
        self.lane.send(PAYMENTS, partition, &as_payloads(&new)?)?;
        self.payments.extend_from_slice(&new);
        Ok(new)
    }

    /// Publishes these once more, where their keys say or anywhere else.
    fn publish_again(&self, payments: &[Payment], partition: Option<i32>) -> Result<()> {
        self.lane.send(PAYMENTS, partition, &as_payloads(payments)?)
    }

    fn look(&self) -> Result<Look> {
        Ok(Look {
            charges: self.lane.database()?.charges(),
            committed: self.lane.kafka().committed(BILLING_SERVICE, PAYMENTS)?,
        })
    }

    /// Looks, and tells it to whoever reads the history.
    fn look_and_note(&self, when: &str) -> Result<Look> {
        let look = self.look()?;
        self.lane.note(format!("{when}: {look}"));
        Ok(look)
    }

    fn bill(&self, look: &Look) -> Bill {
        look.charges.without(&self.past).compare(&self.payments)
    }

    /// How many payments lie before the committed offsets, and are not in the database.
    fn ahead(&self, look: &Look) -> Result<usize> {
        let records = self.lane.kafka().records(PAYMENTS)?;
        let left_out = records.iter().filter(|record| {
            let partition = usize::try_from(record.partition).unwrap_or(usize::MAX);
            let committed = look.committed.get(partition).copied().flatten();
            let is_left_out = |payment: Payment| {
                self.payments.contains(&payment) && !look.charges.has(&payment.event_id)
            };
            record.offset < committed.unwrap_or(0) && payment(record).is_some_and(is_left_out)
        });
        Ok(left_out.count())
    }

    /// Waits until every payment is charged and every offset committed, as far as that is to be expected; less long where
    /// nothing changes any more.
    fn finish(&self, program: &mut Program) -> Result<Look> {
        let ends = self.lane.kafka().ends(PAYMENTS)?;
        let start = Instant::now();
        let mut last = None;
        let mut changed = None;
        loop {
            let runs = program.is_running()?;
            let look = self.look()?;
            let now = Some((look.charges.rows.len(), look.committed.clone()));
            if now != last {
                // What a run finds is no change of its own.
                changed = last.map(|_| Instant::now()).or(changed);
                last = now;
            }
            let Habits {
                charges, commits, ..
            } = self.habits;
            let is_done = (charges || commits)
                && (!charges || look.charges.have_all(&self.payments))
                && (!commits || look.is_committed_up_to(&ends));
            let is_quiet = match changed {
                Some(at) => at.elapsed() >= QUIET && start.elapsed() >= self.patience.min(QUIET),
                None => start.elapsed() >= self.patience,
            };
            if is_done || is_quiet || !runs || start.elapsed() >= 2 * LIMIT {
                return self.look_and_note("now");
            }
            wait::pass(Duration::from_millis(40))?;
        }
    }

    /// Runs the program until it has done all, and kills it.
    fn run_through(&self) -> Result<Look> {
        let mut program = self.lane.start("billing")?;
        let look = self.finish(&mut program)?;
        self.kill(program)?;
        Ok(look)
    }

    /// Starts it, and waits until it owns partitions.
    fn start_and_join(&self) -> Result<Program> {
        let mut program = self.lane.start("billing")?;
        self.wait_until_joined(&mut program)?;
        Ok(program)
    }

    fn wait_until_joined(&self, program: &mut Program) -> Result<()> {
        let patience = if self.habits.joins {
            self.patience
        } else {
            UNSEEN
        };
        program.until(patience, || {
            Ok(self.lane.owned(BILLING_SERVICE, PAYMENTS)? == 3)
        })?;
        Ok(())
    }

    /// Waits until a request comes to the closed gate; `false` where none does.
    fn wait_until_held(&self, program: &mut Program) -> Result<bool> {
        let limit = if self.habits.commits {
            AUTO_COMMIT + HELD
        } else {
            UNSEEN
        };
        program.until(limit.min(self.patience), || Ok(self.lane.is_holding()))
    }

    /// Kills it, where it still runs. Nobody has to wait for its session to time out.
    fn kill(&self, mut program: Program) -> Result<()> {
        program.kill_if_running()?;
        drop(program);
        self.lane.remove_members(BILLING_SERVICE)
    }
}

fn payment(record: &Record) -> Option<Payment> {
    Payment::parse(record.payload.value.as_deref()?).ok()
}

impl Look {
    fn is_committed_up_to(&self, ends: &[i64]) -> bool {
        is_past(&self.committed, ends)
    }
}

/// `20 charges, $1234.50; committed offsets 7, 9, no commit`.
impl std::fmt::Display for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the database holds {}; committed offsets {}",
            self.charges,
            offsets(&self.committed)
        )
    }
}

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
    let mut desk = Desk::reopen(lane)?;
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
    let mut desk = Desk::reopen(lane)?;
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
    /// At the first glance that showed a commit, or 6 s later.
    pub stalled: Look,
    /// Payments that the committed offsets say are done, and that are not in the database.
    pub ahead: usize,
}

pub fn locked(lane: &Lane) -> Result<Locked> {
    let mut desk = Desk::reopen(lane)?;
    desk.publish(BATCH, None)?;
    let end = Instant::now() + AUTO_COMMIT;
    let mut program = lane.start("billing")?;
    let before = desk.finish(&mut program)?;
    let lock = lane.database()?.lock(LOCK_LIMIT)?;
    lane.note("from here on nobody can write to the database: somebody else has locked it");
    desk.publish(BATCH, None)?;
    if lock.is_some() {
        program.until(end.saturating_duration_since(Instant::now()), || {
            Ok(desk.look()?.committed != before.committed)
        })?;
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
    let mut desk = Desk::reopen_for_letters(lane)?;
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
    let mut desk = Desk::reopen_for_letters(lane)?;
    desk.publish(1, Some(0))?;
    let malformed = malformed_payments(1);
    lane.send(PAYMENTS, Some(0), &malformed)?;
    desk.publish(BATCH - 2, None)?;
    let has_passed = |look: &Look| look.committed.first().copied().flatten() > Some(AT);

    lane.hold(Request::Produce);
    let mut program = lane.start("billing")?;
    program.until(desk.patience.min(AUTO_COMMIT), || {
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

/// Runs that were killed at chosen and at random instants, and one that was not.
pub struct Survived {
    /// How often it was killed at a chosen instant, and at a random one.
    pub chosen: usize,
    pub random: usize,
    pub payments: usize,
    pub look: Look,
    pub bill: Bill,
    pub last_lines: String,
}

/// Where a kill comes.
#[derive(Clone, Copy, Debug)]
enum Instants {
    /// A commit has not come to the broker.
    CommitHeld,
    /// It wants to write, and cannot.
    Locked,
    /// Between two transactions: after one has been written that the next belongs to, or else after some of a batch.
    Between,
    /// In its first print.
    Stalled,
}

pub fn survived(lane: &Lane) -> Result<Survived> {
    survived_kills(lane, RANDOM_KILLS)
}

/// As [`survived`], with so many kills at random instants, and a batch of payments for each.
pub fn survived_kills(lane: &Lane, random_kills: usize) -> Result<Survived> {
    use Instants::{Between, CommitHeld, Locked, Stalled};
    let mut desk = Desk::reopen(lane)?;
    let start = Instant::now();
    let (mut chosen, mut random) = (0, 0);
    let limit = KILLS_LIMIT * u32::try_from(random_kills.div_ceil(RANDOM_KILLS))?;
    // Before the first one there is no database yet.
    for instant in [
        CommitHeld, Between, Locked, Between, Stalled, Between, Locked, CommitHeld,
    ] {
        if start.elapsed() < limit {
            desk.kill_at(instant)?;
            chosen += 1;
        }
    }
    let mut rng = rand::rng();
    while random < random_kills && start.elapsed() < limit {
        if lane.database()?.charges().have_all(&desk.payments) {
            let new = desk.publish(MANY, None)?;
            let again: Vec<_> = new.sample(&mut rng, 10).cloned().collect();
            desk.publish_again(&again, Some(rng.random_range(0..3)))?;
        }
        let program = desk.start_and_join()?;
        wait::pass(RANDOM_KILL.mul_f64(rng.random()))?;
        desk.kill(program)?;
        random += 1;
    }
    let mut program = lane.start("billing")?;
    let look = desk.finish(&mut program)?;
    let last_lines = program.last_lines();
    desk.kill(program)?;
    Ok(Survived {
        chosen,
        random,
        payments: desk.payments.len(),
        bill: desk.bill(&look),
        look,
        last_lines,
    })
}

impl Desk<'_, '_> {
    /// Publishes a batch, and kills the program at this instant.
    fn kill_at(&mut self, instant: Instants) -> Result<()> {
        let lane = self.lane;
        match instant {
            Instants::CommitHeld => {
                self.publish(BATCH, None)?;
                lane.hold(Request::OffsetCommit);
                let mut program = lane.start("billing")?;
                self.wait_until_held(&mut program)?;
                self.kill(program)?;
                lane.turn_away();
            }
            Instants::Locked => {
                let mut program = self.start_and_join()?;
                let before = self.look()?.committed;
                let lock = lane.database()?.lock(LOCK_LIMIT)?;
                lane.note("nobody can write to the database");
                self.publish(BATCH, None)?;
                program.until(LOCKED, || Ok(self.look()?.committed != before))?;
                self.kill(program)?;
                drop(lock);
            }
            Instants::Between => {
                let mut program = self.start_and_join()?;
                let lock = lane.database()?.lock(LOCK_LIMIT)?;
                let batch = self.publish(BATCH, None)?;
                drop(lock);
                self.step(&mut program, &batch)?;
                self.kill(program)?;
            }
            Instants::Stalled => {
                self.publish(BATCH, None)?;
                let mut program = lane.start_stalled("billing")?;
                self.wait_until_joined(&mut program)?;
                wait::pass(LOCKED)?;
                self.kill(program)?;
            }
        }
        Ok(())
    }

    /// Lets the program write one transaction or a few at a time, until what it has written does not belong together, or all
    /// of the batch is there. Returns while it is stopped there, or about to go on.
    fn step(&self, program: &mut Program, batch: &[Payment]) -> Result<()> {
        let database = self.lane.database()?;
        let end = Instant::now() + STEPS_LIMIT;
        while Instant::now() < end && program.is_running()? {
            database.wait_for_a_write(STEP_LIMIT)?;
            let lock = database.lock(LOCK_LIMIT)?;
            if database.is_between(batch) || database.charges().have_all(batch) {
                // It is killed with the lock still there.
                program.kill_if_running()?;
                drop(lock);
                return Ok(());
            }
        }
        Ok(())
    }
}
