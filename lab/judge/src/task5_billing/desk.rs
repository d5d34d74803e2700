//! Task 5: what lies on the desk of a billing program, and what becomes of it: payments, a database, one run after another.

use std::time::{Duration, Instant};

use anyhow::Result;
use broker::wait;
use common::{BILLING_SERVICE, PAYMENTS, Payment};

use crate::bench::lane::Lane;
use crate::task5_billing::charges::{Bill, Charges};
use crate::task5_billing::rows::charges;
use crate::{Program, as_payloads, random_payments};
use cluster::Record;
use cluster::is_past;
use cluster::offsets;

/// So many payments are published at a time: enough for a batch.
pub const BATCH: u64 = 20;

/// How long a program may take to join and to charge.
const LIMIT: Duration = Duration::from_secs(20);

/// However long it goes on charging, nobody waits longer for one run.
const MOST_TIME: Duration = Duration::from_secs(120);

/// How long nothing may change before a program counts as having done all that it will do.
pub const QUIET: Duration = Duration::from_secs(5);

/// Longer than the 5 s after which a client commits by itself (`auto.commit.interval.ms`).
pub const AUTO_COMMIT: Duration = Duration::from_secs(6);

/// How long a dead letter stays unacknowledged.
pub const HELD: Duration = Duration::from_secs(2);

/// How long the database may be kept from us.
pub const LOCK_LIMIT: Duration = Duration::from_secs(1);

/// How long a program is left to itself of which no member, or no commit, was ever seen.
const UNSEEN: Duration = Duration::from_secs(1);

/// Payments, a database that held nothing before, and a program's runs on them.
pub struct Desk<'a, 'pool> {
    pub lane: &'a Lane<'pool>,
    /// What the topic held before. Whoever reads it again may charge it again: the database is another one.
    past: Vec<Payment>,
    /// Each payment once, however often it was published.
    pub payments: Vec<Payment>,
    /// How long a program may take that has not changed anything yet.
    pub patience: Duration,
    /// What it did when nothing was in its way. The rest is not waited for.
    pub habits: Habits,
}

/// What a program does when nothing is in its way.
#[derive(Clone, Copy)]
pub struct Habits {
    /// It owns partitions, as a member of the group.
    pub joins: bool,
    pub charges: bool,
    /// Its group has committed offsets.
    pub commits: bool,
    /// It commits at all, in whatever group.
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
pub struct Look {
    pub charges: Charges,
    pub committed: Vec<Option<i64>>,
}

impl<'a, 'pool> Desk<'a, 'pool> {
    pub fn open(lane: &'a Lane<'pool>) -> Result<Self> {
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

    /// Publishes these once more, where their keys say or anywhere else.
    pub fn publish_again(&self, payments: &[Payment], partition: Option<i32>) -> Result<()> {
        self.lane.send(PAYMENTS, partition, &as_payloads(payments)?)
    }

    pub fn look(&self) -> Result<Look> {
        Ok(Look {
            charges: charges(self.lane.database()?),
            committed: self.lane.kafka().committed(BILLING_SERVICE, PAYMENTS)?,
        })
    }

    /// Looks, and tells it to whoever reads the history.
    pub fn look_and_note(&self, when: &str) -> Result<Look> {
        let look = self.look()?;
        self.lane.note(format!("{when}: {look}"));
        Ok(look)
    }

    pub fn bill(&self, look: &Look) -> Bill {
        look.charges.without(&self.past).compare(&self.payments)
    }

    /// How many payments lie before the committed offsets, and are not in the database.
    pub fn ahead(&self, look: &Look) -> Result<usize> {
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
    pub fn finish(&self, program: &mut Program) -> Result<Look> {
        let ends = self.lane.kafka().ends(PAYMENTS)?;
        let start = Instant::now();
        let mut last = None;
        let mut changed = None;
        loop {
            let runs = program.is_running()?;
            let look = self.look()?;
            // Whoever charges the same again comes no further.
            let now = Some((look.charges.different(), look.committed.clone()));
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
            if is_done || is_quiet || !runs || start.elapsed() >= MOST_TIME {
                return self.look_and_note("now");
            }
            wait::pass(Duration::from_millis(40))?;
        }
    }

    /// Runs the program until it has done all, and kills it.
    pub fn run_through(&self) -> Result<Look> {
        let mut program = self.lane.start("billing")?;
        let look = self.finish(&mut program)?;
        self.kill(program)?;
        Ok(look)
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
            Ok(self.lane.owned(BILLING_SERVICE, PAYMENTS)? == 3)
        })?;
        Ok(())
    }

    /// Waits until a request comes to the closed gate; `false` where none does.
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

    /// Waits until something is seen; or for so long since it charged another payment.
    pub fn wait_while_it_charges(
        &self,
        program: &mut Program,
        quiet: Duration,
        mut seen: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        let (mut charged, mut since) = (0, Instant::now());
        program.until(MOST_TIME, || {
            let now = charges(self.lane.database()?).different();
            if now > charged {
                (charged, since) = (now, Instant::now());
            }
            Ok(seen()? || since.elapsed() >= quiet)
        })?;
        Ok(())
    }

    /// Kills it, where it still runs. Nobody has to wait for its session to time out.
    pub fn kill(&self, mut program: Program) -> Result<()> {
        program.kill_if_running()?;
        drop(program);
        self.lane.remove_members(BILLING_SERVICE)
    }
}

fn payment(record: &Record) -> Option<Payment> {
    Payment::parse(record.payload.value.as_deref()?).ok()
}

impl Look {
    pub fn is_committed_up_to(&self, ends: &[i64]) -> bool {
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
