//! Asks Kafka about a group again and again, on a thread of its own.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use cluster::{
    GroupDescription, GroupEvent, GroupOffsets, GroupState, Kafka, LiveGroup, topics_of,
};
use common::CLICKSTREAM;

/// How long an answer may take. If it takes longer, Kafka counts as silent.
const LIMIT: Duration = Duration::from_secs(3);

/// The pause between two observations of the group.
const PAUSE: Duration = Duration::from_millis(250);

/// The same while the group rebalances: a shorter pause, so that the end of the rebalance is measured more exactly.
const SHORT_PAUSE: Duration = Duration::from_millis(100);

/// The pause between two observations of the group's offsets.
const OFFSETS_PAUSE: Duration = Duration::from_secs(1);

/// What was seen at a point in time.
pub enum Observation {
    /// The group; `None` if it does not exist.
    Group(Instant, Option<GroupDescription>),
    Offsets(Instant, GroupOffsets),
    /// Kafka did not answer the request that was sent then, for this reason.
    NoAnswer(Instant, String),
}

impl Observation {
    /// Adds the observation to what is known about the group. Returns what has happened since the last one.
    pub fn add_to(self, live: &mut LiveGroup) -> Vec<GroupEvent> {
        match self {
            Self::Group(at, description) => live.saw(at, description),
            Self::Offsets(at, offsets) => {
                live.saw_offsets(at, offsets);
                Vec::new()
            }
            Self::NoAnswer(at, reason) => live.heard_nothing(at, &reason).into_iter().collect(),
        }
    }
}

/// Begins to observe the group. The thread ends when the receiver is dropped.
pub fn begin(kafka: Kafka, group: &str) -> Receiver<Observation> {
    let (sender, receiver) = channel();
    let group = group.to_string();
    thread::spawn(move || observe(&kafka, &group, &sender));
    receiver
}

fn observe(kafka: &Kafka, group: &str, observations: &Sender<Observation>) {
    let mut offsets_at: Option<Instant> = None;
    loop {
        let asked = Instant::now();
        let mut pause = PAUSE;
        let seen = kafka.describe(group, LIMIT).and_then(|description| {
            let at = Instant::now();
            let state = description.as_ref().map(|group| group.state);
            if state.is_some_and(GroupState::is_rebalancing) {
                pause = SHORT_PAUSE;
            }
            let mut seen = Vec::new();
            if offsets_at.is_none_or(|last| last.elapsed() >= OFFSETS_PAUSE) {
                let offsets = offsets(kafka, group, description.as_ref())?;
                offsets_at = Some(at);
                seen.push(Observation::Offsets(Instant::now(), offsets));
            }
            seen.insert(0, Observation::Group(at, description));
            Ok(seen)
        });
        let seen =
            seen.unwrap_or_else(|error| vec![Observation::NoAnswer(asked, format!("{error:#}"))]);
        for observation in seen {
            if observations.send(observation).is_err() {
                return;
            }
        }
        thread::sleep(pause);
    }
}

/// The group's offsets in all topics in which it has commits or owns partitions. If there are none, in clickstream.
///
/// # Errors
/// When Kafka does not answer in time.
pub fn offsets(
    kafka: &Kafka,
    group: &str,
    description: Option<&GroupDescription>,
) -> Result<GroupOffsets> {
    let committed = kafka.commits(group, LIMIT)?;
    let mut topics = topics_of(description, &committed);
    if topics.is_empty() {
        topics.insert(CLICKSTREAM.to_string());
    }
    let ends = kafka.ends_of(&topics, LIMIT)?;
    Ok(GroupOffsets { committed, ends })
}
