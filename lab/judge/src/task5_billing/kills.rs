//! Task 5: the scenarios in which billing is killed at every position of its work, paused while another instance takes over, and
//! cut off from the broker.

use std::fmt;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::Result;
use broker::wait;
use common::{BILLING_SERVICE, PAYMENTS, Payment};
use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::Program;
use crate::bench::fetches::bytes_received;
use crate::bench::gate::{Part, RequestKind};
use crate::bench::lane::{Lane, Scenario};
use crate::bench::sweep::{BOTH, Kill, Swept, sweep};
use crate::task5_billing::charges::Bill;
use crate::task5_billing::desk::{BATCH, Desk, LOCK_LIMIT, MOST_TIME, QUIET, Snapshot};
use crate::task5_billing::rows::{charges, is_between};
use crate::task5_billing::runs::{LETTERS, dead_letters, reopen};
use cluster::Payload;

/// The requests by which billing changes anything outside of its database.
const REQUESTS: &[(RequestKind, &[Part])] = &[
    (RequestKind::Produce, BOTH),
    (RequestKind::OffsetCommit, BOTH),
];

/// In how many pages of its write-ahead log a program is killed. A payment takes about two for each table.
const MOST_PAGES: usize = 8;

/// How long to wait for one transaction.
const STEP_LIMIT: Duration = Duration::from_millis(300);

/// How long a program that was paused may take to notice that it is no longer a member of its group.
const NOTICE_LIMIT: Duration = Duration::from_secs(10);

/// The run after the last kill, which nothing disturbs.
pub struct LastRun {
    /// When it was that a payment was first seen not to be charged once, if that was after an earlier kill. Nothing was tried
    /// after it.
    pub wrong: Option<String>,
    pub payments: usize,
    pub snapshot: Snapshot,
    pub bill: Bill,
    pub last_lines: String,
}

/// Runs that are killed around a request to the broker, or cut off from it, and one that is not.
pub struct OnTheWire {
    pub kills: Swept,
    /// How many answers of the broker were lost.
    pub lost: usize,
    /// Whether the program commits when nothing disturbs it. If not, another check says so, and little can be held back.
    pub commits: bool,
    /// How many malformed messages there were, and how many of them never became a dead letter.
    pub malformed: usize,
    pub letters_missing: usize,
    pub last: LastRun,
}

impl OnTheWire {
    /// Whether every situation came about in which it is judged.
    pub fn is_reached(&self) -> bool {
        !self.commits || (!self.kills.kills.is_empty() && self.lost > 0)
    }
}

/// `killed at 8 of 8 positions; answers lost: 2`.
impl fmt::Display for OnTheWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.last.wrong {
            Some(wrong) => write!(f, "{wrong}"),
            None => write!(f, "{}; answers lost: {}", self.kills, self.lost),
        }
    }
}

/// Runs that are killed while they write to the database, or paused, and one that is not.
pub struct InWrites {
    /// How many kills came about, and how many were wanted.
    pub kills: usize,
    pub of: usize,
    pub paused: Paused,
    pub last: LastRun,
}

impl InWrites {
    /// Whether every situation came about in which it is judged.
    pub fn is_reached(&self) -> bool {
        self.kills == self.of && self.paused != Paused::NotReached
    }
}

/// `killed in 6 of 6 writes; paused, and it ended`.
impl fmt::Display for InWrites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(wrong) = &self.last.wrong {
            return write!(f, "{wrong}");
        }
        let paused = match self.paused {
            Paused::NotReached => "it could not be paused in the middle of a batch",
            Paused::WentOn => "paused, and it went on",
            Paused::Ended => "paused, and it ended",
        };
        write!(
            f,
            "killed in {} of {} writes; {paused}",
            self.kills, self.of
        )
    }
}

/// What became of a program that was paused with a batch in its hands, for so long that another instance took over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paused {
    /// It could not be paused there.
    NotReached,
    /// It went on when it was resumed.
    WentOn,
    /// It ended by itself.
    Ended,
}

/// When a kill comes, if it depends on the database.
#[derive(Clone, Copy, Debug)]
enum Write {
    /// It has a batch, and cannot write because the database is locked.
    Locked,
    /// After the first transaction of a batch.
    First,
    /// Between two transactions that belong together; or else after the whole batch is written.
    Between,
    /// In the first print of a batch.
    Stalled,
}

pub const ON_THE_WIRE: Scenario<OnTheWire> = Scenario {
    name: "on the wire",
    run: |lane| on_the_wire(lane, 1),
};

/// As the scenario, with this many rounds of kills.
pub fn on_the_wire(lane: &Lane, rounds: usize) -> Result<OnTheWire> {
    let mut desk = reopen(lane)?;
    let (mut malformed, mut kills, mut wrong) = (0, Swept::default(), None);
    for _ in 0..rounds {
        let swept = desk.sweep(&mut malformed, &mut wrong)?;
        kills.kills.extend(swept.kills);
        kills.is_whole = swept.is_whole;
        // Of a program that has made a mistake already, nothing more is to be learned.
        if wrong.is_some() {
            break;
        }
    }
    let mut lost = 0;
    if wrong.is_none() {
        lost = desk.lose_answers(&mut malformed)?;
    }
    let missing = || {
        let letters = dead_letters(lane)?;
        let is_missing = |number: &usize| !letters.iter().any(|one| is_about(one, *number));
        anyhow::Ok((0..malformed).filter(is_missing).count())
    };
    let last = desk.run_once_more(wrong, |program| {
        program.until(LETTERS, || Ok(missing()? == 0)).map(drop)
    })?;
    Ok(OnTheWire {
        kills,
        lost,
        commits: desk.habits.commits,
        malformed,
        letters_missing: missing()?,
        last,
    })
}

pub const IN_WRITES: Scenario<InWrites> = Scenario {
    name: "in writes",
    run: |lane| in_writes(lane, 1),
};

/// As the scenario, with this many rounds of kills.
pub fn in_writes(lane: &Lane, rounds: usize) -> Result<InWrites> {
    use Write::{Between, First, Locked, Stalled};
    let mut desk = reopen(lane)?;
    // After its first run, it is seen whether it keeps a write-ahead log.
    desk.publish(BATCH, None)?;
    desk.run_through()?;
    let (mut kills, mut of, mut wrong) = (0, 0, None);
    for _ in 0..rounds {
        let in_log = desk.kill_in_log(&mut wrong)?;
        kills += in_log;
        of += in_log;
        if wrong.is_some() {
            break;
        }
        let others: &[Write] = if in_log > 0 {
            &[Locked, Stalled, Locked]
        } else {
            &[Between, Locked, First, Stalled, Between, Locked]
        };
        for write in others {
            if let Some(is_there) = desk.kill_at_write(*write)? {
                kills += usize::from(is_there);
                of += 1;
            }
        }
    }
    let mut paused = Paused::NotReached;
    if wrong.is_none() {
        paused = desk.pause_past_session()?;
    }
    let last = desk.run_once_more(wrong, |_| Ok(()))?;
    Ok(InWrites {
        kills,
        of,
        paused,
        last,
    })
}

/// A message that is not a payment, and that can be told from the others.
fn malformed_letter(number: usize) -> Payload {
    Payload {
        key: Some(format!("letter_{number}_").into_bytes()),
        value: Some(format!("{{\"event_id\": \"letter_{number}_").into_bytes()),
    }
}

/// Whether this dead letter is about the message of this number. Whether it is unchanged is judged by another check.
fn is_about(letter: &Payload, number: usize) -> bool {
    let name = format!("letter_{number}_").into_bytes();
    let mut parts = [&letter.key, &letter.value].into_iter().flatten();
    parts.any(|part| part.windows(name.len()).any(|bytes| bytes == name))
}

impl Desk<'_, '_> {
    /// Runs the program once more, until it has done everything and then `until` has returned.
    fn run_once_more(
        &mut self,
        wrong: Option<String>,
        until: impl FnOnce(&mut Program) -> Result<()>,
    ) -> Result<LastRun> {
        // However far the runs have come, payments come again that are charged already, or that still have to be.
        let mut rng = rand::rng();
        let again: Vec<_> = self.payments.sample(&mut rng, 10).cloned().collect();
        self.publish_again(&again, Some(rng.random_range(0..3)))?;
        let mut program = self.lane.start("billing")?;
        let snapshot = self.finish(&mut program)?;
        until(&mut program)?;
        let last_lines = program.last_lines();
        self.kill(program)?;
        Ok(LastRun {
            wrong,
            payments: self.payments.len(),
            bill: self.bill(&snapshot),
            snapshot,
            last_lines,
        })
    }

    /// Publishes a batch that also contains a malformed message.
    fn publish_with_malformed(&mut self, malformed: &mut usize) -> Result<()> {
        let letter = malformed_letter(*malformed);
        *malformed += 1;
        self.lane.send(PAYMENTS, None, &[letter])?;
        self.publish(BATCH, None).map(drop)
    }

    /// Gives the program one batch after the other, and kills it before and after each of the requests that it makes for one,
    /// until something is wrong.
    fn sweep(&mut self, malformed: &mut usize, wrong: &mut Option<String>) -> Result<Swept> {
        let lane = self.lane;
        let mut last: Option<Kill> = None;
        sweep(REQUESTS, |hold| {
            let mut program = lane.start("billing")?;
            // What the last kill has left undone comes first.
            let snapshot = self.finish(&mut program)?;
            if !self.bill(&snapshot).is_right() {
                *wrong = Some(last.map_or_else(
                    || "before any kill".to_string(),
                    |kill| format!("killed {kill}"),
                ));
                self.kill(program)?;
                return Ok(ControlFlow::Break(()));
            }
            lane.hold_at(*hold);
            self.publish_with_malformed(malformed)?;
            self.work_until(&mut program, || lane.is_holding())?;
            let kill = lane.kill_at(&mut program, hold)?;
            self.kill(program)?;
            last = kill;
            Ok(ControlFlow::Continue(kill))
        })
    }

    /// Waits until the program has joined its group, and has done what the last kill left undone. A program with a single
    /// thread would otherwise stop in that work when it can no longer write or print, and would never fetch the next batch.
    fn settle(&self, program: &mut Program) -> Result<Snapshot> {
        self.wait_until_joined(program)?;
        self.finish(program)
    }

    /// Gives the program one payment after the other, and ends it while it writes the first page for it into its write-ahead log,
    /// then the second, and so on, until something is wrong. Returns how many times it has ended there: 0 if it has no such log,
    /// or does not end this way.
    fn kill_in_log(&mut self, wrong: &mut Option<String>) -> Result<usize> {
        let lane = self.lane;
        let database = lane.database()?;
        let mut kills = 0;
        while database.has_log() && kills < MOST_PAGES {
            let mut program = lane.start("billing")?;
            let snapshot = self.settle(&mut program)?;
            if !self.bill(&snapshot).is_right() {
                *wrong = Some(format!(
                    "killed in page {kills} that it added to the log of its database"
                ));
                self.kill(program)?;
                break;
            }
            let mut has_ended = false;
            if let Some(log) = database.log()
                && program.limit_files(log.length + kills as u64 * log.frame)?
            {
                lane.note(format!(
                    "it will end in page {} that it adds to the log of its database",
                    kills + 1
                ));
                self.publish(1, None)?;
                self.finish(&mut program)?;
                has_ended = !program.is_running()?;
            }
            self.kill(program)?;
            if !has_ended {
                break;
            }
            kills += 1;
        }
        Ok(kills)
    }

    /// Publishes a batch, and kills the program at this instant. Returns whether it came about, or `None` if the program has no
    /// such instant, because its prints never block.
    fn kill_at_write(&mut self, write: Write) -> Result<Option<bool>> {
        let lane = self.lane;
        match write {
            Write::Locked => {
                let mut program = lane.start("billing")?;
                self.settle(&mut program)?;
                let lock = lane.database()?.lock(LOCK_LIMIT)?;
                lane.note("nobody can write to the database");
                let has_batch = self.hand_out_a_batch(&mut program)?;
                let has_ended = !program.is_running()?;
                self.kill(program)?;
                Ok(Some(lock.is_some() && (has_batch || has_ended)))
            }
            Write::First | Write::Between => {
                let mut program = self.start_and_join()?;
                let lock = lane.database()?.lock(LOCK_LIMIT)?;
                let batch = self.publish(BATCH, None)?;
                drop(lock);
                let is_there = self.step(&mut program, &batch, write)?;
                self.kill(program)?;
                Ok(Some(is_there))
            }
            Write::Stalled => {
                let mut program = lane.start_to_stall("billing")?;
                self.settle(&mut program)?;
                lane.stall(&mut program)?;
                let is_there = self.hand_out_a_batch(&mut program)?;
                let blocks = program.blocks_in_print()?;
                self.kill(program)?;
                Ok(blocks.then_some(is_there))
            }
        }
    }

    /// Pauses a program that has a batch and cannot write. Another instance charges the batch; then the first one goes on.
    fn pause_past_session(&mut self) -> Result<Paused> {
        let lane = self.lane;
        let mut first = lane.start("billing")?;
        self.settle(&mut first)?;
        let lock = lane.database()?.lock(LOCK_LIMIT)?;
        lane.note("nobody can write to the database");
        let is_there = self.hand_out_a_batch(&mut first)?;
        let has_ended = !first.is_running()?;
        if lock.is_none() || has_ended || !is_there {
            self.kill(first)?;
            // One that ends by itself because it cannot write does not go on with its batch.
            return Ok(if lock.is_some() && has_ended {
                Paused::Ended
            } else {
                Paused::NotReached
            });
        }
        first.pause()?;
        lane.note(
            "it is paused with its batch, and the group removes it, as after its session timeout",
        );
        lane.remove_members(BILLING_SERVICE)?;
        drop(lock);
        self.run_through()?;
        let before = self.group_requests()?;
        lane.note("it goes on with its batch");
        first.resume()?;
        first.until(NOTICE_LIMIT, || Ok(self.group_requests()? > before))?;
        self.publish(BATCH, None)?;
        self.finish(&mut first)?;
        let went_on = first.is_running()?;
        self.kill(first)?;
        Ok(if went_on {
            Paused::WentOn
        } else {
            Paused::Ended
        })
    }

    /// How many times programs were told what the group thinks of them.
    fn group_requests(&self) -> Result<usize> {
        let mut count = 0;
        for kind in [
            "JOIN_GROUP",
            "HEARTBEAT",
            "OFFSET_COMMIT",
            "CONSUMER_GROUP_HEARTBEAT",
        ] {
            count += self.lane.group_requests(kind, BILLING_SERVICE)?.len();
        }
        Ok(count)
    }

    /// Loses the answer to a dead letter, and to a commit. Returns how many answers were lost.
    fn lose_answers(&mut self, malformed: &mut usize) -> Result<usize> {
        let lane = self.lane;
        let mut lost = 0;
        for (kind, _) in REQUESTS {
            let mut program = lane.start("billing")?;
            self.finish(&mut program)?;
            lane.lose(*kind);
            self.publish_with_malformed(malformed)?;
            self.finish(&mut program)?;
            lost += usize::from(lane.is_holding());
            lane.release();
            self.kill(program)?;
        }
        Ok(lost)
    }

    /// Publishes a batch, and waits until the broker has sent the program some of it. Returns whether it has.
    fn hand_out_a_batch(&mut self, program: &mut Program) -> Result<bool> {
        let lane = self.lane;
        let received = bytes_received(lane)?;
        self.publish(BATCH, None)?;
        program.until(self.join_limit(), || Ok(bytes_received(lane)? > received))
    }

    /// Lets the program write one transaction or a few at a time, until it is at this instant. There it is killed, while it cannot
    /// write. Returns whether it got there.
    fn step(&self, program: &mut Program, batch: &[Payment], at: Write) -> Result<bool> {
        let database = self.lane.database()?;
        program.give_way();
        let (mut charged, mut since) = (0, Instant::now());
        let is_there = wait::closely(MOST_TIME, || {
            // Some programs end by themselves if they find the database locked. That is as good as a kill.
            if !program.is_running()? {
                return Ok(Some(true));
            }
            let patience = if charged > 0 { QUIET } else { self.patience };
            if since.elapsed() > patience {
                return Ok(Some(false));
            }
            database.wait_for_a_write(STEP_LIMIT)?;
            // With a write-ahead log, the database can be read wherever the program is, so the program is paused there.
            // Otherwise, it must not be in the middle of a transaction.
            let has_log = database.has_log();
            let lock = if has_log {
                program.pause()?;
                None
            } else {
                database.lock(LOCK_LIMIT)?
            };
            let now = charges(database)?.how_many_of(batch);
            if now > charged {
                (charged, since) = (now, Instant::now());
            }
            let is_there = charged == batch.len()
                || (matches!(at, Write::First) && charged > 0)
                || is_between(database, batch)?;
            if is_there {
                program.kill_if_running()?;
            } else if has_log {
                program.resume()?;
            }
            drop(lock);
            Ok(is_there.then_some(true))
        })?;
        Ok(is_there.unwrap_or(false))
    }
}
