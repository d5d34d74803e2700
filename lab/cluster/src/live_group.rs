//! A consumer group that is being watched: its present state, and what has happened to it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::group_description::{GroupDescription, GroupProtocol, GroupState};
use crate::offset_table::{Grid, GroupOffsets, GroupTable};
use crate::rate::GroupProgress;
use crate::rebalances::Rebalances;

/// How many events are kept. The oldest are dropped.
const MOST_EVENTS: usize = 500;

/// What is known about a group from looking at it again and again.
#[derive(Debug)]
pub struct LiveGroup {
    group: String,
    last_look: LastLook,
    /// When Kafka stopped answering; `None` while it answers.
    silent_since: Option<Instant>,
    /// `None` until they are known.
    offsets: Option<GroupOffsets>,
    progress: GroupProgress,
    rebalances: Rebalances,
    events: VecDeque<GroupEvent>,
}

/// What the last look that Kafka answered has shown.
#[derive(Debug)]
enum LastLook {
    /// There was no look yet.
    Never,
    /// The group does not exist.
    Absent,
    /// The group exists.
    Present {
        description: GroupDescription,
        /// When it was first seen in its present state; `None` if it was in this state at the first look of all.
        in_state_since: Option<Instant>,
    },
}

/// Something that happened to the group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupEvent {
    pub at: Instant,
    /// One line.
    pub what: String,
    /// More lines, if there is more to say.
    pub details: Vec<String>,
}

impl LastLook {
    /// The look after this one, at the time `at`. It showed `description`, or no group.
    fn next(&self, at: Instant, description: Option<GroupDescription>) -> Self {
        let Some(description) = description else {
            return Self::Absent;
        };
        let in_state_since = match self {
            Self::Never => None,
            Self::Present {
                description: before,
                in_state_since,
            } if before.state == description.state => *in_state_since,
            Self::Absent | Self::Present { .. } => Some(at),
        };
        Self::Present {
            description,
            in_state_since,
        }
    }

    fn state(&self) -> Option<GroupState> {
        match self {
            Self::Never | Self::Absent => None,
            Self::Present { description, .. } => Some(description.state),
        }
    }
}

impl LiveGroup {
    /// A group that nothing is known about yet.
    pub fn new(group: &str) -> Self {
        Self {
            group: group.to_string(),
            last_look: LastLook::Never,
            silent_since: None,
            offsets: None,
            progress: GroupProgress::default(),
            rebalances: Rebalances::default(),
            events: VecDeque::new(),
        }
    }

    /// Takes note of what the group looked like at `at`; `None` if there was no such group. Returns what has happened since
    /// the look before.
    pub fn saw(&mut self, at: Instant, description: Option<GroupDescription>) -> Vec<GroupEvent> {
        let mut new = Vec::new();
        if let Some(since) = self.silent_since.take() {
            let silent = (at - since).as_secs_f32();
            new.push(event(
                at,
                format!("Kafka answers again, after {silent:.1} s"),
            ));
        }
        if let Some(over) = self.rebalances.look(at, description.as_ref()) {
            new.push(GroupEvent {
                at,
                what: over.headline(),
                details: over.moves().collect(),
            });
        }
        let look = self.last_look.next(at, description);
        if let (LastLook::Present { .. }, LastLook::Absent) = (&self.last_look, &look) {
            new.push(event(
                at,
                "the group no longer exists: it was deleted, or its last member left and it had no commits",
            ));
        }
        self.last_look = look;
        self.keep(&new);
        new
    }

    /// Takes note of the group's offsets at `at`.
    pub fn saw_offsets(&mut self, at: Instant, offsets: GroupOffsets) {
        self.progress.add(at, offsets.committed.clone());
        self.offsets = Some(offsets);
    }

    /// Takes note that Kafka did not answer at `at`, for this reason. Returns an event if Kafka answered before.
    pub fn heard_nothing(&mut self, at: Instant, reason: &str) -> Option<GroupEvent> {
        if self.silent_since.is_some() {
            return None;
        }
        self.silent_since = Some(at);
        let new = event(at, reason);
        self.keep(std::slice::from_ref(&new));
        Some(new)
    }

    fn keep(&mut self, new: &[GroupEvent]) {
        self.events.extend(new.iter().cloned());
        let surplus = self.events.len().saturating_sub(MOST_EVENTS);
        self.events.drain(..surplus);
    }

    /// Whether Kafka answers and the group exists and is not rebalancing.
    pub fn is_settled(&self) -> bool {
        let state = self.last_look.state();
        self.silent_since.is_none() && state.is_some_and(|state| !state.is_rebalancing())
    }

    /// The present state, in one line.
    pub fn headline(&self, now: Instant) -> String {
        let group = &self.group;
        if let Some(since) = self.silent_since {
            let age = age(now - since);
            return format!("{group}: Kafka has not answered for {age}; trying again");
        }
        match &self.last_look {
            LastLook::Never => group.clone(),
            LastLook::Absent => format!("{group}: there is no such group yet; waiting for it"),
            LastLook::Present {
                description,
                in_state_since,
            } => {
                let age = in_state_since.map(|since| age(now.saturating_duration_since(since)));
                self.headline_of(description, age)
            }
        }
    }

    /// The state of the group, for how long it has been in this state if that is known, and its members.
    fn headline_of(&self, description: &GroupDescription, age: Option<String>) -> String {
        let group = &self.group;
        let state = description.state;
        let age = age.map_or(String::new(), |age| format!(" for {age}"));
        let mut names: Vec<String> = description
            .members
            .iter()
            .map(|member| self.rebalances.names().name(&member.member_id))
            .collect();
        names.sort();
        let members = match names.len() {
            0 => "no members".to_string(),
            1 => format!("1 member: {}", names[0]),
            count => format!("{count} members: {}", names.join(", ")),
        };
        let protocol = match description.protocol {
            _ if names.is_empty() => "",
            GroupProtocol::Classic => "; classic protocol",
            GroupProtocol::Consumer => "; protocol of KIP-848",
        };
        format!("{group}: {state}{age}; {members}{protocol}")
    }

    /// The owner and the offsets of each partition; `None` until they are known.
    pub fn table(&self) -> Option<GroupTable> {
        let members = match &self.last_look {
            LastLook::Never => return None,
            LastLook::Absent => &[][..],
            LastLook::Present { description, .. } => &description.members,
        };
        let names = self.rebalances.names();
        let offsets = self.offsets.as_ref()?;
        Some(GroupTable::new(&self.group, members, names, offsets))
    }

    /// The cells of [`LiveGroup::table`], with a rate for each partition and a last row for all partitions together.
    pub fn grid(&self) -> Option<Grid> {
        let table = self.table()?;
        let mut grid = table.grid_with_totals();
        let rates: Vec<Option<f64>> = table
            .rows
            .iter()
            .map(|row| self.progress.rate(&row.partition))
            .collect();
        let known: Vec<f64> = rates.iter().copied().flatten().collect();
        let total = (!known.is_empty()).then(|| known.iter().sum());
        grid.header.push("rate/s");
        for (cells, rate) in grid.rows.iter_mut().zip(rates.into_iter().chain([total])) {
            cells.push(per_second(rate));
        }
        Some(grid)
    }

    /// What has happened, in order of time.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &GroupEvent> {
        self.events.iter()
    }
}

fn event(at: Instant, what: impl Into<String>) -> GroupEvent {
    GroupEvent {
        at,
        what: what.into(),
        details: Vec::new(),
    }
}

fn per_second(rate: Option<f64>) -> String {
    match rate {
        None => "-".to_string(),
        Some(0.0) => "0".to_string(),
        Some(rate) if rate.abs() < 10.0 => format!("{rate:.1}"),
        Some(rate) => format!("{rate:.0}"),
    }
}

/// A duration such as `0.7 s`, `12 s` or `5 min`.
fn age(age: Duration) -> String {
    match age.as_secs() {
        0..10 => format!("{:.1} s", age.as_secs_f32()),
        seconds @ 10..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::group_description::{GroupMember, TopicPartition};

    fn partition(topic: &str, partition: i32) -> TopicPartition {
        TopicPartition {
            topic: topic.to_string(),
            partition,
        }
    }

    fn owned_by(owner: &str) -> GroupDescription {
        GroupDescription {
            state: GroupState::Stable,
            protocol: GroupProtocol::Classic,
            members: vec![GroupMember {
                client_id: "rdkafka".to_string(),
                member_id: owner.to_string(),
                partitions: BTreeSet::from([partition("orders", 0), partition("payments", 1)]),
            }],
        }
    }

    #[test]
    fn two_topics_are_named_and_a_lag_without_a_commit_is_unknown() {
        let mut live = LiveGroup::new("shop");
        let now = Instant::now();
        live.saw(now, Some(owned_by("one")));
        let offsets = |committed| GroupOffsets {
            committed: BTreeMap::from([(partition("orders", 0), committed)]),
            ends: BTreeMap::from([
                (partition("orders", 0), Some(9)),
                (partition("payments", 1), Some(7)),
            ]),
        };
        live.saw_offsets(now, offsets(4));
        live.saw_offsets(now + Duration::from_secs(2), offsets(8));
        let grid = live.grid().unwrap();
        assert_eq!(grid.header[0], "topic");
        let cells: Vec<String> = grid.rows.iter().map(|row| row.join("|")).collect();
        assert_eq!(
            cells,
            [
                "orders|0|rdkafka|8|9|1|2.0",
                "payments|1|rdkafka|no commit|7|-|-",
                "||all|8|16|≥ 1|2.0",
            ]
        );
        let events = live.saw(now, Some(owned_by("two")));
        assert_eq!(
            events[0].what,
            "rdkafka·2 joined; rdkafka left or timed out"
        );
        assert!(events[0].details[0].starts_with("orders 0; payments 1: rdkafka → rdkafka·2"));
    }

    #[test]
    fn silence_and_its_end_are_reported_once() {
        let mut live = LiveGroup::new("shop");
        let now = Instant::now();
        live.saw(now, Some(owned_by("one")));
        assert!(live.heard_nothing(now, "nobody answers").is_some());
        assert!(live.heard_nothing(now, "nobody answers").is_none());
        let later = now + Duration::from_secs(12);
        assert!(live.headline(later).contains("not answered for 12 s"));
        let events = live.saw(later, Some(owned_by("one")));
        assert_eq!(events[0].what, "Kafka answers again, after 12.0 s");
        assert_eq!(events.len(), 1, "nothing has moved");
    }
}
