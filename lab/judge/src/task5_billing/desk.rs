//! Task 5: what the scenarios of billing share: payments, a database, and one run of the program after another on them.

use std::time::Duration;

use anyhow::Result;
use broker::wait;
use common::{BILLING_SERVICE, PAYMENTS, Payment};

use crate::bench::lane::Lane;
use crate::client_timers::AUTO_COMMIT;
use crate::contract::WORK_LIMIT;
use crate::data::payments::bare_payment;
use crate::task5_billing::charges::{Bill, Charges};
use crate::task5_billing::rows::charges;
use crate::{Program, as_payloads, random_payments};
use cluster::{Record, is_past, offsets};

/// How many payments are published at a time: enough for a batch.
pub const BATCH: u64 = 20;

/// The longest time for one run, even if the program is still charging.
pub const MOST_TIME: Duration = Duration::from_secs(120);

/// If nothing changes for this long, nothing more is expected of a program.
pub const QUIET: Duration = Duration::from_secs(5);

/// How long a dead letter stays unacknowledged.
pub const HELD: Duration = Duration::from_secs(2);

/// How long we try to lock the database.
pub const LOCK_LIMIT: Duration = Duration::from_secs(1);

/// How long to wait for a member, or for a commit, if the program never showed one before.
const UNSEEN: Duration = Duration::from_secs(1);

/// Payments, a database that was empty at first, and a program's runs on them.
pub struct Desk<'a, 'pool> {
    pub lane: &'a Lane<'pool>,
    /// What the topic held before. A program that reads it again may charge it again, because the database is a new one.
    past: Vec<Payment>,
    /// Each payment once, however often it was published.
    pub payments: Vec<Payment>,
    /// How long a program may take until it changes anything.
    pub patience: Duration,
    /// What the program did when nothing disturbed it. Only that is waited for.
    pub habits: Habits,
}

/// What a program does when nothing disturbs it.
#[derive(Clone, Copy)]
pub struct Habits {
    /// It owns partitions, as a member of the group.
    pub joins: bool,
    pub charges: bool,
    /// Its group has committed offsets.
    pub commits: bool,
    /// It commits at all, in this group or in another.
    pub asks_to_commit: bool,
}

impl Habits {
    pub const ALL: Self = Self {
        joins: true,
        charges: true,
        commits: true,
        asks_to_commit: true,
    };
}

/// What the database and the group hold at one moment.
pub struct Snapshot {
    pub charges: Charges,
    pub committed: Vec<Option<i64>>,
}

impl<'a, 'pool> Desk<'a, 'pool> {
    pub fn open(lane: &'a Lane<'pool>) -> Result<Self> {
        let desk = Self::of(lane)?;
        let left = lane.kafka().ends(PAYMENTS)?;
        if !desk.snapshot()?.is_committed_up_to(&left) {
            // What the program could not get past must not disturb what comes now. This takes a second, so it is done only here.
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
            patience: WORK_LIMIT,
            habits: Habits::ALL,
        })
    }

    /// As [`Desk::open`], for a program with these habits.
    pub fn reopen(lane: &'a Lane<'pool>, habits: Habits) -> Result<Self> {
        let mut desk = Self::open(lane)?;
        if !habits.charges && !habits.asks_to_commit {
            desk.patience = QUIET;
        }
        desk.habits = habits;
        Ok(desk)
    }

    pub fn publish(&mut self, count: u64, partition: Option<i32>) -> Result<Vec<Payment>> {
        let new = random_payments(count);
        self.lane.send(PAYMENTS, partition, &as_payloads(&new)?)?;
        self.payments.extend_from_slice(&new);
        Ok(new)
    }

    /// Publishes a payment that has only what makes a payment.
    pub fn publish_bare(&mut self) -> Result<()> {
        let (payment, message) = bare_payment();
        self.lane.send(PAYMENTS, None, &[message])?;
        self.payments.push(payment);
        Ok(())
    }

    /// Publishes these once more: in this partition, or where their keys belong.
    pub fn publish_again(&self, payments: &[Payment], partition: Option<i32>) -> Result<()> {
        self.lane.send(PAYMENTS, partition, &as_payloads(payments)?)
    }

    pub fn snapshot(&self) -> Result<Snapshot> {
        Ok(Snapshot {
            charges: charges(self.lane.database()?)?,
            committed: self.committed()?,
        })
    }

    /// The committed offset of each partition.
    pub fn committed(&self) -> Result<Vec<Option<i64>>> {
        self.lane.kafka().committed(BILLING_SERVICE, PAYMENTS)
    }

    /// A snapshot, which the history shows.
    pub fn snapshot_and_note(&self, when: &str) -> Result<Snapshot> {
        let snapshot = self.snapshot()?;
        self.lane.note(format!("{when}: {snapshot}"));
        Ok(snapshot)
    }

    pub fn bill(&self, snapshot: &Snapshot) -> Bill {
        snapshot.charges.without(&self.past).compare(&self.payments)
    }

    /// How many payments lie before the committed offsets, and are not in the database.
    pub fn ahead(&self, snapshot: &Snapshot) -> Result<usize> {
        let records = self.lane.kafka().records(PAYMENTS)?;
        let left_out = records.iter().filter(|record| {
            let partition = usize::try_from(record.partition).unwrap_or(usize::MAX);
            let committed = snapshot.committed.get(partition).copied().flatten();
            let is_left_out = |payment: Payment| {
                self.payments.contains(&payment) && !snapshot.charges.has(&payment.event_id)
            };
            record.offset < committed.unwrap_or(0) && payment(record).is_some_and(is_left_out)
        });
        Ok(left_out.count())
    }

    /// Waits until every payment is charged and every offset committed, as far as this program does that at all; or until it
    /// has ended, or nothing changes any more.
    pub fn finish(&self, program: &mut Program) -> Result<Snapshot> {
        self.work_until(program, || false)
    }

    /// The same, but no longer than until `is_over`.
    pub fn work_until(
        &self,
        program: &mut Program,
        is_over: impl Fn() -> bool,
    ) -> Result<Snapshot> {
        let ends = self.lane.kafka().ends(PAYMENTS)?;
        let mut at_start = None;
        wait::while_it_changes(MOST_TIME, || {
            let runs = program.is_running()?;
            let now = self.snapshot()?;
            // A program that charges the same payments again and again makes no progress.
            let progress = (now.charges.different(), now.committed.clone());
            let has_begun = *at_start.get_or_insert_with(|| progress.clone()) != progress;
            // When an answer will be held back, its request is on its way, or the broker has done it already.
            let is_done = self.is_done(&now, &ends) && !self.lane.is_coming();
            let patience = if is_done || is_over() || !runs {
                Duration::ZERO
            } else if has_begun {
                QUIET
            } else {
                self.patience
            };
            Ok((progress, patience))
        })?;
        self.snapshot_and_note("now")
    }

    /// Whether the program has done everything that it does when nothing disturbs it.
    fn is_done(&self, now: &Snapshot, ends: &[i64]) -> bool {
        let Habits {
            charges, commits, ..
        } = self.habits;
        (charges || commits)
            && (!charges || now.charges.have_all(&self.payments))
            && (!commits || now.is_committed_up_to(ends))
    }

    /// Runs the program until it has done everything, and kills it.
    pub fn run_through(&self) -> Result<Snapshot> {
        let mut program = self.lane.start("billing")?;
        let snapshot = self.finish(&mut program)?;
        self.kill(program)?;
        Ok(snapshot)
    }

    /// Starts it, and waits until it owns partitions.
    pub fn start_and_join(&self) -> Result<Program> {
        let mut program = self.lane.start("billing")?;
        self.wait_until_joined(&mut program)?;
        Ok(program)
    }

    /// How long it may take until it owns partitions.
    pub fn join_limit(&self) -> Duration {
        if self.habits.joins {
            self.patience
        } else {
            UNSEEN
        }
    }

    pub fn wait_until_joined(&self, program: &mut Program) -> Result<()> {
        program.until(self.join_limit(), || {
            Ok(self.lane.assigned(BILLING_SERVICE, PAYMENTS)? == 3)
        })?;
        Ok(())
    }

    /// Waits until a request comes to the closed gate. Returns whether one came.
    pub fn wait_until_held(&self, program: &mut Program) -> Result<bool> {
        let quiet = if self.habits.asks_to_commit {
            AUTO_COMMIT
        } else {
            UNSEEN
        };
        self.wait_until_joined(program)?;
        self.wait_while_it_charges(program, quiet, || Ok(self.lane.is_holding()))?;
        Ok(self.lane.is_holding())
    }

    /// Waits until something is seen; or until the program has ended, or has charged no new payment for this long. One that has
    /// payments to charge may take longer for the first of them.
    pub fn wait_while_it_charges(
        &self,
        program: &mut Program,
        quiet: Duration,
        mut seen: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        let mut at_start = None;
        let mut charged = 0;
        wait::while_it_changes(MOST_TIME, || {
            let runs = program.is_running()?;
            let now = charges(self.lane.database()?)?;
            charged = charged.max(now.different());
            let has_begun = *at_start.get_or_insert(charged) < charged;
            let will_charge = self.habits.charges && !now.have_all(&self.payments);
            let patience = if seen()? || !runs {
                Duration::ZERO
            } else if will_charge && !has_begun {
                self.patience.max(quiet)
            } else {
                quiet
            };
            Ok((charged, patience))
        })
    }

    /// Kills it if it still runs, and removes it from the group, so that the next run does not have to wait for its session to
    /// time out.
    pub fn kill(&self, mut program: Program) -> Result<()> {
        program.kill_if_running()?;
        drop(program);
        self.lane.remove_members(BILLING_SERVICE)
    }
}

fn payment(record: &Record) -> Option<Payment> {
    Payment::parse(record.payload.value.as_deref()?).ok()
}

impl Snapshot {
    pub fn is_committed_up_to(&self, ends: &[i64]) -> bool {
        is_past(&self.committed, ends)
    }
}

/// `20 charges, $1234.50; committed offsets: 7, 9, no commit`.
impl std::fmt::Display for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the database holds {}; committed offsets: {}",
            self.charges,
            offsets(&self.committed)
        )
    }
}
