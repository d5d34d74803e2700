//! How speed and memory grow: with the consumers of a group, on few and on many partitions, and with the events of a topic.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use broker::wait;
use common::CLICKSTREAM;
use judge::Program;
use serde::{Deserialize, Serialize};
use terminal::ProgressBar;

use crate::consumer::{Commit, Run};
use crate::rounds::in_turns;
use crate::spread::{NO_ROUNDS, Spread};
use crate::stand::Stand;

const BATCH: u64 = 1_000;

/// The topics: as many partitions as in the lab, and more than there are consumers.
const PARTITIONS: [i32; 2] = [Stand::PARTITIONS, 12];

/// How many consumers share a topic.
const CONSUMERS: [usize; 4] = [1, 2, 3, 4];

/// How many events a topic has: more than all consumers together read while they are measured.
const EVENTS: u64 = 10_000_000;

/// How many events one consumer reads, to see whether its memory grows.
const READ: [u64; 2] = [1_000_000, EVENTS];

const ROUNDS: usize = 3;

/// How long a group is measured, once all of its consumers have their partitions.
const WINDOW: Duration = Duration::from_secs(3);

/// How long it may take until they have them.
const JOIN_LIMIT: Duration = Duration::from_secs(30);

/// How long a consumer may read. All of them have ended long before that.
const READ_LIMIT: Duration = Duration::from_secs(150);

/// A consumer learns from its next heartbeat that another one has joined. The default is 3 s.
const HEARTBEAT: &str = "heartbeat.interval.ms=500";

/// How speed and memory grow.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Growth {
    pub with_consumers: Vec<Shared>,
    pub with_events: Vec<Read>,
}

/// How fast a consumer group is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shared {
    pub partitions: i32,
    pub consumers: usize,
    /// Of all its consumers together.
    pub events_per_second: Spread,
    /// How many times as fast as one consumer, in the same round.
    pub times_one: Spread,
}

/// How one consumer reads so many events.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Read {
    pub events: u64,
    pub events_per_second: Spread,
    /// The most memory that it had at a time, in megabytes; `None` if this system does not say.
    pub megabytes: Option<Spread>,
}

/// How many steps of the bar [`measure`] takes.
///
/// # Errors
/// Never: the numbers are small.
pub fn steps() -> Result<usize> {
    let publish = usize::try_from(Stand::steps(EVENTS))?;
    Ok(PARTITIONS.len() * (publish + CONSUMERS.len() * ROUNDS) + READ.len() * ROUNDS)
}

/// Fills a topic for each number of partitions, and measures groups of one to four consumers on it. On the first topic, it
/// measures also how one consumer reads few and many events.
///
/// # Errors
/// If Kafka cannot be started, if a consumer fails, or on Ctrl-C.
pub fn measure(bar: &ProgressBar) -> Result<Growth> {
    let mut growth = Growth {
        with_consumers: Vec::new(),
        with_events: Vec::new(),
    };
    for partitions in PARTITIONS {
        let stand = Stand::new(EVENTS, partitions, bar)?;
        let speeds = in_turns("shared", &CONSUMERS, ROUNDS, bar, |consumers, group| {
            speed_of_group(&stand, *consumers, group)
        })?;
        for (consumers, of_group) in CONSUMERS.iter().zip(&speeds) {
            growth.with_consumers.push(Shared {
                partitions,
                consumers: *consumers,
                events_per_second: Spread::of(of_group.iter().copied()).context(NO_ROUNDS)?,
                times_one: Spread::of_ratios(of_group, &speeds[0]).context(NO_ROUNDS)?,
            });
        }
        if partitions == PARTITIONS[0] {
            growth.with_events = with_events(&stand, bar)?;
        }
    }
    Ok(growth)
}

/// Returns how many events these consumers process per second, as their commits show it.
fn speed_of_group(stand: &Stand, consumers: usize, group: &str) -> Result<f64> {
    let run = Run::new(BATCH, Commit::Sync, READ_LIMIT.as_secs_f64());
    let mut members = Vec::new();
    for number in 1..=consumers {
        let mut command = run.command(stand, group, stand.events, "ends");
        members.push(Program::run(
            &format!("consumer {number}"),
            command.arg(HEARTBEAT),
        )?);
    }
    let kafka = &stand.kafka;
    let owners = || -> Result<usize> {
        let all = kafka.members(group, CLICKSTREAM)?;
        let owners = all.iter().filter(|member| !member.partitions.is_empty());
        Ok(if all.len() == consumers {
            owners.count()
        } else {
            0
        })
    };
    let processed = || -> Result<(Instant, i64)> {
        let commits = kafka.commits(group, JOIN_LIMIT)?;
        Ok((Instant::now(), commits.values().sum()))
    };
    let all = consumers.min(usize::try_from(stand.partitions)?);
    wait::until("all consumers to have partitions", JOIN_LIMIT, || {
        Ok((owners()? == all && processed()?.1 > 0).then_some(()))
    })?;
    let from = processed()?;
    wait::pass(WINDOW)?;
    let to = processed()?;
    ensure!(
        owners()? == all && to.1 < i64::try_from(stand.events)?,
        "{consumers} consumers could not be measured: one of them ended, or they had read all {} events",
        stand.events
    );
    members.iter_mut().try_for_each(Program::kill)?;
    #[expect(clippy::cast_precision_loss, reason = "it is at most ten million")]
    let events = (to.1 - from.1) as f64;
    Ok(events / (to.0 - from.0).as_secs_f64())
}

fn with_events(stand: &Stand, bar: &ProgressBar) -> Result<Vec<Read>> {
    let mut megabytes = vec![Vec::new(); READ.len()];
    let speeds = in_turns("read", &READ, ROUNDS, bar, |events, group| {
        let run = Run::new(BATCH, Commit::Sync, READ_LIMIT.as_secs_f64());
        let mut command = run.command(stand, group, *events, "ends");
        let mut consumer = Program::run("the consumer", &mut command)?;
        let mut most = None;
        wait::until("the consumer to read the topic", READ_LIMIT, || {
            most = peak_megabytes(&consumer).or(most);
            Ok((!consumer.is_running()?).then_some(()))
        })?;
        let place = READ.iter().position(|other| other == events);
        if let (Some(place), Some(most)) = (place, most) {
            megabytes[place].push(most);
        }
        let texts = consumer.texts();
        let line = texts.last().context("the consumer reported nothing")?;
        Ok(crate::consumer::events_per_second(&serde_json::from_str(
            line,
        )?))
    })?;
    let read = READ.iter().zip(&speeds).zip(megabytes);
    let read = read.map(|((events, speeds), megabytes)| {
        Some(Read {
            events: *events,
            events_per_second: Spread::of(speeds.iter().copied())?,
            megabytes: Spread::of(megabytes),
        })
    });
    read.collect::<Option<_>>().context(NO_ROUNDS)
}

/// The most memory that the program has had so far; `None` after its end, and on systems without `/proc`.
fn peak_megabytes(program: &Program) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", program.pid())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1_000.0)
}
