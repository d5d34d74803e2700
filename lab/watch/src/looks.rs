//! Looks at a group again and again, beside whatever shows it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use cluster::{
    GroupDescription, GroupEvent, GroupOffsets, GroupState, Kafka, LiveGroup, topics_of,
};
use common::CLICKSTREAM;

/// How long one answer may take before Kafka counts as silent.
const LIMIT: Duration = Duration::from_secs(3);

/// How often the group is looked at.
const PAUSE: Duration = Duration::from_millis(250);

/// The same while it rebalances, so that the end is seen closer.
const SHORT_PAUSE: Duration = Duration::from_millis(100);

/// How often its offsets are.
const OFFSETS: Duration = Duration::from_secs(1);

/// What was seen.
pub enum Look {
    Group(Instant, Option<GroupDescription>),
    Offsets(Instant, GroupOffsets),
    /// Kafka does not answer what it was asked then, and what is to be said of that.
    Nothing(Instant, String),
}

impl Look {
    /// Tells the group what was seen. Returns what has happened.
    pub fn tell(self, live: &mut LiveGroup) -> Vec<GroupEvent> {
        match self {
            Self::Group(at, description) => live.saw(at, description),
            Self::Offsets(at, offsets) => {
                live.saw_offsets(at, offsets);
                Vec::new()
            }
            Self::Nothing(at, reason) => live.heard_nothing(at, &reason).into_iter().collect(),
        }
    }
}

/// Begins to look, until nobody listens any more.
pub fn begin(kafka: Kafka, group: &str) -> Receiver<Look> {
    let (looks, seen) = channel();
    let group = group.to_string();
    thread::spawn(move || look(&kafka, &group, &looks));
    seen
}

fn look(kafka: &Kafka, group: &str, looks: &Sender<Look>) {
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
            if offsets_at.is_none_or(|last| last.elapsed() >= OFFSETS) {
                let offsets = offsets(kafka, group, description.as_ref())?;
                offsets_at = Some(at);
                seen.push(Look::Offsets(Instant::now(), offsets));
            }
            seen.insert(0, Look::Group(at, description));
            Ok(seen)
        });
        let seen = seen.unwrap_or_else(|error| vec![Look::Nothing(asked, format!("{error:#}"))]);
        for look in seen {
            if looks.send(look).is_err() {
                return;
            }
        }
        thread::sleep(pause);
    }
}

/// In all topics in which the group has commits or owns partitions; in the lab's, where there are none.
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
