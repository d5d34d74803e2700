//! Task 2: the scenario in which the consumer is killed around the commit of a batch.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Result;

use crate::Program;
use crate::bench::gate::{Hold, Part, RequestKind};
use crate::bench::lane::{Lane, Scenario};
use crate::bench::sweep::{Attempt, BOTH, Kill, Swept, sweep};
use crate::contract::BATCH;
use crate::random_events;
use crate::task2_consumer::output::{summaries, total, totals};
use crate::task2_consumer::runs::{LaterRun, RESUMED, committed, end_by_kill, is_read, read_on};
use cluster::sum;

/// How long a commit may take: 5 s by the contract, and longer on a busy machine.
const COMMIT_LIMIT: Duration = Duration::from_secs(10);

/// Runs that are killed one after the other.
pub struct Killed {
    pub swept: Swept,
    /// The kill that had a wrong effect, if any; or the first run, if that was wrong before any kill.
    pub wrong: Option<(Option<Kill>, Effect)>,
    pub last_lines: String,
}

/// What a kill led to.
pub struct Effect {
    /// By how many events the committed offsets had moved since the last batch was published, and how many events the program
    /// had counted since then.
    pub moved: i64,
    pub counted: i64,
    /// How many events were committed in the whole run and not counted in it.
    ahead: i64,
    /// The next run.
    pub next: LaterRun,
}

pub const KILLED: Scenario<Killed> = Scenario {
    name: "killed",
    run: killed,
};

fn killed(lane: &Lane) -> Result<Killed> {
    lane.evidence(RESUMED)?;
    let mut kills = Kills::default();
    let swept = sweep(&[(RequestKind::OffsetCommit, BOTH)], |hold| {
        kills.next(lane, hold)
    })?;
    if kills.last.is_some() {
        end_by_kill(lane, kills.recover(lane)?.0)?;
    }
    Ok(Killed {
        swept,
        wrong: kills.wrong,
        last_lines: kills.last_lines,
    })
}

/// The kills so far.
#[derive(Default)]
struct Kills {
    last: Option<Last>,
    wrong: Option<(Option<Kill>, Effect)>,
    last_lines: String,
}

/// The last kill, with the numbers of its [`Effect`].
struct Last {
    kill: Kill,
    moved: i64,
    counted: i64,
    ahead: i64,
}

impl Kills {
    /// Starts the next run, and judges what it makes of the last kill. Returns how many events were committed before that run.
    fn recover(&mut self, lane: &Lane) -> Result<(Program, i64)> {
        let (program, next) = read_on(lane, BATCH)?;
        let before_run = sum(&next.before);
        let last = self.last.take();
        let kill = last.as_ref().map(|last| last.kill);
        let number = |of: fn(&Last) -> i64| last.as_ref().map_or(0, of);
        let effect = Effect {
            moved: number(|last| last.moved),
            counted: number(|last| last.counted),
            ahead: number(|last| last.ahead),
            next,
        };
        if !effect.is_right(kill) {
            self.wrong = Some((kill, effect));
        }
        Ok((program, before_run))
    }

    fn next(&mut self, lane: &Lane, hold: &Hold) -> Result<Attempt> {
        let (mut program, before_run) = self.recover(lane)?;
        if self.wrong.is_some() {
            end_by_kill(lane, program)?;
            return Ok(ControlFlow::Break(()));
        }
        let (before, counted_before) = (sum(&committed(lane)?), counted(&program));
        lane.hold_at(*hold);
        lane.publish(&random_events(0, BATCH))?;
        program.until(COMMIT_LIMIT, || {
            Ok(lane.is_holding() || (is_read(lane)? && !lane.is_coming()))
        })?;
        self.last_lines = program.last_lines();
        let kill = lane.kill_at(&mut program, hold)?;
        let (after, counted) = (sum(&committed(lane)?), counted(&program));
        self.last = kill.map(|kill| Last {
            kill,
            moved: after - before,
            counted: counted - counted_before,
            ahead: after - before_run - counted,
        });
        end_by_kill(lane, program)?;
        Ok(ControlFlow::Continue(kill))
    }
}

impl Effect {
    /// Whether nothing was committed that was not sent or not counted, and the next run read the rest.
    fn is_right(&self, kill: Option<Kill>) -> bool {
        let is_before_first = |kill: Kill| kill.part == Part::Request && kill.number == 1;
        let is_early = kill.is_some_and(is_before_first) && self.moved != 0;
        // A program that commits each event on its own counts a batch only when it is complete. One that commits only some
        // partitions of a batch may catch up with earlier batches of the run.
        let batch = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let is_lost = self.moved >= batch && self.ahead > 0;
        !is_early && !is_lost && self.next.read_what_it_found()
    }
}

/// How many events a program has counted so far, in its summaries or its totals.
fn counted(program: &Program) -> i64 {
    let lines = program.texts();
    let in_summaries: u64 = summaries(&lines).iter().map(total).sum();
    let in_totals = totals(&lines).last().map_or(0, total);
    i64::try_from(in_summaries.max(in_totals)).unwrap_or(i64::MAX)
}
