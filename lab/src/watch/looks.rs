//! Looks at a group again and again, beside whatever shows it.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use checks::{
    GroupDescription, GroupEvent, GroupOffsets, Kafka, LiveGroup, TopicPartition, topics_of,
};
use common::CLICKSTREAM;

/// How long one answer may take before Kafka counts as silent.
pub const LIMIT: Duration = Duration::from_secs(3);

/// How often the group is looked at.
const PAUSE: Duration = Duration::from_millis(250);

/// The same while it rebalances, so that the end is seen closer.
const SHORT_PAUSE: Duration = Duration::from_millis(100);

/// How often its offsets are.
const OFFSETS: Duration = Duration::from_secs(1);

/// How often it is asked how many partitions the topics have.
const PARTITIONS: Duration = Duration::from_secs(10);

/// What was seen.
pub enum Look {
    Group(Instant, Option<GroupDescription>),
    Offsets(Instant, GroupOffsets),
    /// Kafka does not answer, and what is to be said of that.
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
    let mut offsets = Offsets::default();
    let mut offsets_at: Option<Instant> = None;
    loop {
        let mut new = Vec::new();
        let mut pause = PAUSE;
        match kafka.describe(group, LIMIT) {
            Ok(description) => {
                let at = Instant::now();
                if description
                    .as_ref()
                    .is_some_and(|group| group.state.is_rebalancing())
                {
                    pause = SHORT_PAUSE;
                }
                new.push(Look::Group(at, description.clone()));
                if offsets_at.is_none_or(|last| last.elapsed() >= OFFSETS) {
                    offsets_at = Some(at);
                    new.push(match offsets.read(kafka, group, description.as_ref()) {
                        Ok(offsets) => Look::Offsets(Instant::now(), offsets),
                        Err(error) => Look::Nothing(Instant::now(), format!("{error:#}")),
                    });
                }
            }
            Err(error) => new.push(Look::Nothing(Instant::now(), format!("{error:#}"))),
        }
        for look in new {
            if looks.send(look).is_err() {
                return;
            }
        }
        thread::sleep(pause);
    }
}

/// Reads offsets, and remembers for a while which partitions there are.
#[derive(Default)]
pub struct Offsets {
    topics: BTreeSet<String>,
    partitions: Vec<TopicPartition>,
    asked: Option<Instant>,
}

impl Offsets {
    /// In all topics in which the group has commits or owns partitions; in the lab's, where there are none.
    pub fn read(
        &mut self,
        kafka: &Kafka,
        group: &str,
        description: Option<&GroupDescription>,
    ) -> Result<GroupOffsets> {
        let committed = kafka.commits(group, LIMIT)?;
        let mut topics = topics_of(description, &committed);
        if topics.is_empty() {
            // While it rebalances, nobody owns anything.
            topics.clone_from(&self.topics);
        }
        if topics.is_empty() {
            topics.insert(CLICKSTREAM.to_string());
        }
        if topics != self.topics || self.asked.is_none_or(|at| at.elapsed() >= PARTITIONS) {
            self.partitions = kafka.partitions_of(&topics)?;
            self.asked = Some(Instant::now());
            self.topics = topics;
        }
        let ends = kafka.ends_of(&self.partitions, LIMIT)?;
        Ok(GroupOffsets { committed, ends })
    }
}
