//! Task 6: one run of the extractor, and what is awaited of it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use broker::wait;
use common::{CLICKSTREAM, Event, PURCHASE_EXTRACTOR};

use crate::Program;
use crate::bench::lane::Lane;
use crate::data::events::{a_purchase_of_each_user, first_id};
use crate::task6_exactly_once::copies::{Copies, is_wanted};
use cluster::Isolation;
use cluster::is_past;
use cluster::sum;

const PROGRAM: &str = "exactly_once";

/// By the contract, from a restart until readers see everything.
pub const RECOVERY_LIMIT: Duration = Duration::from_secs(10);

/// However slow a program is, nobody waits longer for one run.
const MOST_TIME: Duration = Duration::from_secs(120);

/// How long a program that has done everything it ever will counts as about to do more.
const QUIET: Duration = Duration::from_secs(3);

/// How long a program may take until the broker hears of it, and then until it comes to what it begins with.
pub const START_LIMIT: Duration = Duration::from_secs(20);

/// Purchases that were published, and what had been copied by then.
pub struct Awaited {
    pub fresh: BTreeSet<u64>,
    before: Copies,
}

/// What became of them, as readers with `read_committed` see it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// How many purchases with an amount had been published.
    pub published: usize,
    /// How many of them are not there.
    pub missing: usize,
    /// How many copies are there that should not be: of these purchases, or of earlier ones that had been copied before.
    pub too_many: usize,
    pub last_lines: String,
}

impl Seen {
    /// Is each one there exactly once, and nothing else has come?
    pub fn each_once(&self) -> bool {
        self.missing == 0 && self.too_many == 0
    }

    /// In words.
    pub fn told(&self) -> String {
        let told = format!(
            "of {} purchases, {} missing; {} copies too many",
            self.published, self.missing, self.too_many
        );
        if self.missing > 0 {
            format!("{told}. {}", self.last_lines)
        } else {
            told
        }
    }
}

impl Awaited {
    /// Publishes events, of which the purchases with an amount are awaited.
    pub fn publish(lane: &Lane, events: &[Event]) -> Result<Self> {
        let mut awaited = Self {
            fresh: BTreeSet::new(),
            before: visible(lane)?,
        };
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

    fn seen(&self, copies: &Copies, program: &Program) -> Seen {
        Seen {
            published: self.fresh.len(),
            missing: self.fresh.len() - copies.among(&self.fresh),
            too_many: copies.too_many_since(&self.before),
            last_lines: program.last_lines(),
        }
    }

    /// Waits until all are copied, and the group is past them; or until nothing more will come. Whoever goes on may be slow.
    pub fn follow(&self, lane: &Lane, program: &mut Program) -> Result<Seen> {
        let start = Instant::now();
        let (mut copied, mut committed_to, mut owned) = (0, 0, 0);
        let mut changed = start;
        loop {
            let is_running = program.is_running()?;
            let copies = visible(lane)?;
            let seen = self.seen(&copies, program);
            let committed = committed(lane)?;
            let is_through = is_past(&committed, &lane.kafka().ends(CLICKSTREAM)?);
            // Whoever has just got its partitions begins only now; whoever copies the same again comes no further.
            let before = (copied, committed_to, owned);
            copied = copied.max(copies.among(&self.fresh));
            committed_to = committed_to.max(sum(&committed));
            owned = owned.max(lane.owned(PURCHASE_EXTRACTOR, CLICKSTREAM)?);
            if (copied, committed_to, owned) != before {
                changed = Instant::now();
            }
            let is_quiet = changed.elapsed() >= QUIET && (is_through || seen.missing == 0);
            let is_done = seen.missing == 0 && is_through;
            let is_stuck = changed.elapsed() >= RECOVERY_LIMIT || start.elapsed() >= MOST_TIME;
            if is_done || is_quiet || !is_running || is_stuck {
                return Ok(seen);
            }
            wait::pass(Duration::from_millis(100))?;
        }
    }
}

pub fn visible(lane: &Lane) -> Result<Copies> {
    Copies::read(lane.kafka(), Isolation::ReadCommitted)
}

pub fn committed(lane: &Lane) -> Result<Vec<Option<i64>>> {
    lane.kafka().committed(PURCHASE_EXTRACTOR, CLICKSTREAM)
}

/// Is the group past all events?
pub fn is_through(lane: &Lane) -> Result<bool> {
    Ok(is_past(&committed(lane)?, &lane.kafka().ends(CLICKSTREAM)?))
}

/// A run, and what is known of those before it.
pub struct Run {
    pub program: Program,
    /// The transactional ids that were taken before.
    earlier_ids: Vec<String>,
}

impl Run {
    /// Starts one, and waits until the broker hears of it: how long a process takes to start is the machine's affair.
    pub fn start(lane: &Lane) -> Result<Self> {
        let heard = || anyhow::Ok(lane.requests_of_programs("API_VERSIONS")?.len());
        let (earlier_ids, before) = (transactional_ids(lane)?, heard()?);
        let mut program = lane.start(PROGRAM)?;
        program.until(START_LIMIT, || Ok(heard()? > before))?;
        Ok(Self {
            program,
            earlier_ids,
        })
    }

    /// Follows what is awaited. Where a transaction of a dead instance is in the way, it is aborted after a while: that nobody
    /// did so is another check's affair. Returns also whether nothing was in the way.
    pub fn follow(&mut self, lane: &Lane, awaited: &Awaited) -> Result<(Seen, bool)> {
        let seen = awaited.follow(lane, &mut self.program)?;
        // What was lost for good is no matter of time.
        let in_time = seen.missing < seen.published && (seen.missing == 0 || is_through(lane)?);
        if in_time {
            return Ok((seen, true));
        }
        let since = transactional_ids(lane)?.split_off(self.earlier_ids.len());
        let mut dead = std::mem::take(&mut self.earlier_ids);
        dead.retain(|id| !since.contains(id));
        if dead.is_empty() || !self.program.is_running()? {
            return Ok((seen, false));
        }
        lane.note("what the killed one left open is aborted for it");
        dead.sort();
        dead.dedup();
        for id in dead {
            lane.kafka().fence(&id)?;
        }
        let seen = awaited.follow(lane, &mut self.program)?;
        Ok((seen, false))
    }

    /// Nobody has to wait for a session to time out.
    pub fn kill(mut self, lane: &Lane) -> Result<()> {
        self.program.kill_if_running()?;
        lane.remove_members(PURCHASE_EXTRACTOR)
    }
}

/// The transactional ids that programs have taken so far, in that order.
pub fn transactional_ids(lane: &Lane) -> Result<Vec<String>> {
    let requests = lane.requests_of_programs("INIT_PRODUCER_ID")?;
    let ids = requests
        .iter()
        .filter_map(|logged| logged["request"]["transactionalId"].as_str());
    Ok(ids.map(ToString::to_string).collect())
}

/// How many transactions of programs were committed or aborted so far.
pub fn ended_transactions(lane: &Lane, committed: bool) -> Result<usize> {
    let ends = lane.requests_of_programs("END_TXN")?;
    let ends = ends.iter().map(|logged| &logged["request"]["committed"]);
    Ok(ends.filter(|logged| **logged == committed).count())
}
