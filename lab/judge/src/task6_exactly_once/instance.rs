//! Task 6: one instance of `exactly_once`, and the purchases that it is expected to copy.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use broker::wait;
use common::{CLICKSTREAM, Event, PURCHASE_EXTRACTOR};

use crate::Program;
use crate::bench::lane::Lane;
use crate::contract::{RECOVERY_LIMIT, WORK_LIMIT};
use crate::data::events::{a_purchase_of_each_user, first_id};
use crate::history::logged::Logged;
use crate::task6_exactly_once::purchases::{Purchases, is_wanted};
use cluster::{Isolation, is_past, sum};

const PROGRAM: &str = "exactly_once";

/// The longest time for one run, however slow the program is.
const MOST_TIME: Duration = Duration::from_secs(120);

/// If nothing changes for this long, nothing more is expected of a program that has copied or committed everything.
const QUIET: Duration = Duration::from_secs(3);

/// How often copies are read before the group is through.
const SELDOM: Duration = Duration::from_millis(400);

/// Purchases that were published, and what had been copied before.
pub struct Awaited {
    pub fresh: BTreeSet<u64>,
    before: Purchases,
    /// How long the program may do nothing, if it has not done everything.
    patience: Duration,
}

/// What became of them, as readers with `read_committed` see it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// How many purchases with an amount had been published.
    pub published: usize,
    /// How many of them have no copy.
    pub missing: usize,
    /// How many copies should not exist: of these purchases, or of earlier ones that had been copied before.
    pub extra: usize,
    pub last_lines: String,
}

impl Seen {
    /// Whether each one was copied exactly once, and nothing else was.
    pub fn each_once(&self) -> bool {
        self.missing == 0 && self.extra == 0
    }

    /// The counts in words.
    pub fn counts(&self) -> String {
        format!(
            "readers saw {} of {} purchases, and {} extra records",
            self.published - self.missing,
            self.published,
            self.extra
        )
    }

    /// The counts, and if purchases are missing, the last lines of the program.
    pub fn as_text(&self) -> String {
        if self.missing > 0 {
            format!("{}. {}", self.counts(), self.last_lines)
        } else {
            self.counts()
        }
    }
}

impl Awaited {
    /// No purchase yet, only the events that were published before: a program that follows this is done when it is past them.
    pub fn nothing(lane: &Lane) -> Result<Self> {
        Ok(Self {
            fresh: BTreeSet::new(),
            before: visible(lane)?,
            patience: RECOVERY_LIMIT,
        })
    }

    /// The same, for a program that nothing disturbs: how long it works before it shows anything depends on the machine.
    #[must_use]
    pub fn undisturbed(self) -> Self {
        Self {
            patience: WORK_LIMIT,
            ..self
        }
    }

    /// Publishes events. The purchases with an amount among them are awaited.
    pub fn publish(lane: &Lane, events: &[Event]) -> Result<Self> {
        let mut awaited = Self::nothing(lane)?;
        awaited.publish_more(lane, events)?;
        Ok(awaited)
    }

    /// Publishes more of them.
    pub fn publish_more(&mut self, lane: &Lane, events: &[Event]) -> Result<()> {
        lane.publish(events)?;
        let wanted = events.iter().filter(|event| is_wanted(event));
        self.fresh.extend(wanted.map(|event| event.event_id));
        Ok(())
    }

    /// Publishes two purchases of each user.
    pub fn purchases(lane: &Lane) -> Result<Self> {
        let first = first_id();
        let events = [first, first + 20].map(a_purchase_of_each_user);
        Self::publish(lane, &events.concat())
    }

    fn seen(&self, copies: &Purchases, program: &Program) -> Seen {
        Seen {
            published: self.fresh.len(),
            missing: self.fresh.len() - copies.among(&self.fresh),
            extra: copies.extra_since(&self.before),
            last_lines: program.last_lines(),
        }
    }

    /// Waits until all are copied, and the group is past them; or until nothing more will come. A program that goes on may be
    /// slow.
    pub fn follow(&self, lane: &Lane, program: &mut Program) -> Result<Seen> {
        self.follow_until(lane, program, || Ok(false))
    }

    /// The same, but no longer than until `is_over`.
    pub fn follow_until(
        &self,
        lane: &Lane,
        program: &mut Program,
        mut is_over: impl FnMut() -> Result<bool>,
    ) -> Result<Seen> {
        let (mut copied, mut committed_to, mut owned) = (0, 0, 0);
        let mut read_at: Option<Instant> = None;
        wait::while_it_changes(MOST_TIME, || {
            let is_over = is_over()?;
            let is_running = program.is_running()?;
            let committed = committed(lane)?;
            let is_through = is_past(&committed, &lane.kafka().ends(CLICKSTREAM)?);
            // Reading all copies takes a while, and before the group is through, little depends on them.
            if is_through || read_at.is_none_or(|at| at.elapsed() > SELDOM) {
                // A program that copies the same purchases again makes no progress.
                copied = copied.max(visible(lane)?.among(&self.fresh));
                read_at = Some(Instant::now());
            }
            let all_copied = copied == self.fresh.len();
            // A program that has just got its partitions begins only now.
            committed_to = committed_to.max(sum(&committed));
            owned = owned.max(lane.assigned(PURCHASE_EXTRACTOR, CLICKSTREAM)?);
            let patience = match (all_copied, is_through) {
                _ if !is_running || is_over => Duration::ZERO,
                // When an answer will be held back, its request is on its way, or the broker has done it already.
                (true, true) if !lane.is_coming() => Duration::ZERO,
                (true, true) => QUIET,
                (true, false) | (false, true) => QUIET,
                (false, false) => self.patience,
            };
            Ok(((copied, committed_to, owned), patience))
        })?;
        Ok(self.seen(&visible(lane)?, program))
    }
}

pub fn visible(lane: &Lane) -> Result<Purchases> {
    Purchases::read(lane.kafka(), Isolation::ReadCommitted)
}

pub fn committed(lane: &Lane) -> Result<Vec<Option<i64>>> {
    lane.kafka().committed(PURCHASE_EXTRACTOR, CLICKSTREAM)
}

/// Whether the committed offsets are past all events.
pub fn is_through(lane: &Lane) -> Result<bool> {
    Ok(is_past(&committed(lane)?, &lane.kafka().ends(CLICKSTREAM)?))
}

/// One instance of the program, and what is known about earlier ones.
pub struct Instance {
    pub program: Program,
    /// The transactional ids that were taken before.
    earlier_ids: Vec<String>,
}

/// What became of the awaited purchases, and whether we had to intervene.
pub struct Followed {
    pub seen: Seen,
    /// Whether the program managed it in time and without help. If not, we aborted a dead instance's transaction for it, or
    /// purchases were lost.
    pub in_time: bool,
}

impl Instance {
    /// Starts one.
    pub fn start(lane: &Lane) -> Result<Self> {
        let earlier_ids = transactional_ids(lane)?;
        Ok(Self {
            program: lane.start(PROGRAM)?,
            earlier_ids,
        })
    }

    /// Follows what is awaited. If an open transaction of a dead instance stands in the way, it is aborted after a while: that
    /// the program did not abort it is judged by another check.
    pub fn follow(&mut self, lane: &Lane, awaited: &Awaited) -> Result<Followed> {
        let seen = awaited.follow(lane, &mut self.program)?;
        // Purchases that were lost for good would not come later either.
        let any = seen.missing < seen.published || seen.published == 0;
        let in_time = any && (seen.missing == 0 || is_through(lane)?);
        let dead = dead(lane, &self.earlier_ids)?;
        if in_time || dead.is_empty() || !self.program.is_running()? {
            return Ok(Followed { seen, in_time });
        }
        lane.note("the transaction that the killed instance left open is aborted for it");
        for id in dead {
            lane.kafka().fence(&id)?;
        }
        Ok(Followed {
            seen: awaited.follow(lane, &mut self.program)?,
            in_time,
        })
    }

    /// Kills it and removes it from the group, so that the next instance does not have to wait for its session to time out.
    pub fn kill(mut self, lane: &Lane) -> Result<()> {
        self.program.kill_if_running()?;
        lane.remove_members(PURCHASE_EXTRACTOR)
    }

    /// The same, and aborts its open transaction, so that the next instance does not have to wait for that either.
    pub fn kill_and_fence(self, lane: &Lane) -> Result<()> {
        let ids = transactional_ids(lane)?.split_off(self.earlier_ids.len());
        self.kill(lane)?;
        ids.iter().try_for_each(|id| lane.kafka().fence(id))
    }
}

/// Those of the earlier transactional ids that no instance has taken since.
fn dead(lane: &Lane, earlier: &[String]) -> Result<BTreeSet<String>> {
    let since = transactional_ids(lane)?.split_off(earlier.len());
    let earlier = earlier.iter();
    Ok(earlier.filter(|id| !since.contains(id)).cloned().collect())
}

/// The transactional ids that programs have taken so far, in the order in which they took them.
pub fn transactional_ids(lane: &Lane) -> Result<Vec<String>> {
    let requests = lane.requests_of_programs("INIT_PRODUCER_ID")?;
    let ids = requests.iter().filter_map(Logged::transactional_id);
    Ok(ids.map(ToString::to_string).collect())
}

/// How many transactions of programs were committed so far, or aborted.
pub fn ended_transactions(lane: &Lane, committed: bool) -> Result<usize> {
    let ends = lane.requests_of_programs("END_TXN")?;
    let ends = ends.iter().map(Logged::commits_transaction);
    Ok(ends.filter(|commits| *commits == committed).count())
}
