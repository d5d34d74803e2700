//! A consumer group as it is watched: how it stands, and what has happened to it since.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::group_description::{GroupDescription, GroupProtocol, GroupState};
use crate::offset_table::{Grid, GroupOffsets, GroupTable};
use crate::rate::GroupProgress;
use crate::rebalances::Rebalances;

/// How many events are kept.
const MOST_EVENTS: usize = 500;

/// What is known of a group from looking at it again and again.
#[derive(Debug)]
pub struct LiveGroup {
    group: String,
    /// `None` until it was looked at.
    description: Option<Option<GroupDescription>>,
    /// Since when it is in its state; `None` when it was so from the first look on.
    in_state_since: Option<Instant>,
    /// `None` until they were looked at.
    offsets: Option<GroupOffsets>,
    progress: GroupProgress,
    rebalances: Rebalances,
    events: VecDeque<GroupEvent>,
    /// Since when Kafka does not answer, and what is to be said of that.
    silence: Option<(Instant, String)>,
}

/// Something that happened to the group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupEvent {
    pub at: Instant,
    /// In a line.
    pub what: String,
    /// What belongs to it, a line each.
    pub details: Vec<String>,
}

impl LiveGroup {
    /// Nothing is known of it yet.
    pub fn new(group: &str) -> Self {
        Self {
            group: group.to_string(),
            description: None,
            in_state_since: None,
            offsets: None,
            progress: GroupProgress::default(),
            rebalances: Rebalances::default(),
            events: VecDeque::new(),
            silence: None,
        }
    }

    /// The group looked like this; `None`: there was no such group. Returns what has happened, if anything.
    pub fn saw(&mut self, at: Instant, description: Option<GroupDescription>) -> Vec<GroupEvent> {
        let mut new = Vec::new();
        if let Some((since, _)) = self.silence.take() {
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
        let state = description.as_ref().map(|description| description.state);
        if self.description.is_some() && self.state() != state {
            self.in_state_since = Some(at);
        }
        if self.state().is_some() && state.is_none() {
            new.push(event(
                at,
                "the group is no more: deleted, or empty without a commit",
            ));
        }
        self.description = Some(description);
        self.events.extend(new.iter().cloned());
        let surplus = self.events.len().saturating_sub(MOST_EVENTS);
        self.events.drain(..surplus);
        new
    }

    /// These were its offsets.
    pub fn saw_offsets(&mut self, at: Instant, offsets: GroupOffsets) {
        self.progress.add(at, offsets.committed.clone());
        self.offsets = Some(offsets);
    }

    /// Kafka did not answer, for this reason. Returns what has happened, if it is the first time.
    pub fn heard_nothing(&mut self, at: Instant, reason: &str) -> Option<GroupEvent> {
        if self.silence.is_some() {
            return None;
        }
        self.silence = Some((at, reason.to_string()));
        let new = event(at, reason);
        self.events.push_back(new.clone());
        Some(new)
    }

    fn state(&self) -> Option<GroupState> {
        Some(self.description.as_ref()?.as_ref()?.state)
    }

    /// Does Kafka answer, and is there a group that does not rebalance?
    pub fn is_settled(&self) -> bool {
        self.silence.is_none() && self.state().is_some_and(|state| !state.is_rebalancing())
    }

    /// How it stands, in a line.
    pub fn headline(&self, now: Instant) -> String {
        let group = &self.group;
        if let Some((since, _)) = &self.silence {
            let age = age(now - *since);
            return format!("{group}: Kafka has not answered for {age}; trying again");
        }
        let Some(description) = &self.description else {
            return group.clone();
        };
        let Some(description) = description else {
            return format!("{group}: there is no such group yet; waiting for it");
        };
        let state = description.state;
        let age = self.in_state_since.map_or(String::new(), |since| {
            format!(" for {}", age(now.saturating_duration_since(since)))
        });
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

    /// Who owns what, and how far it is; `None` until that is known.
    pub fn table(&self) -> Option<GroupTable> {
        let members = self.description.as_ref()?.as_ref();
        let members = members.map_or(&[][..], |description| &description.members);
        let names = self.rebalances.names();
        let offsets = self.offsets.as_ref()?;
        Some(GroupTable::new(&self.group, members, names, offsets))
    }

    /// The same as cells, with the rate of each partition, and a last row for all of them.
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

    /// What has happened, the oldest first.
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

/// `0.7 s`, `12 s`, `5 min`.
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
    fn two_topics_are_named_and_no_commit_is_no_lag_of_zero() {
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
        let told = live.saw(now, Some(owned_by("two")));
        assert_eq!(told[0].what, "rdkafka·2 joined; rdkafka left or timed out");
        assert!(told[0].details[0].starts_with("orders 0; payments 1: rdkafka → rdkafka·2"));
    }

    #[test]
    fn silence_is_told_once_and_its_end() {
        let mut live = LiveGroup::new("shop");
        let now = Instant::now();
        live.saw(now, Some(owned_by("one")));
        assert!(live.heard_nothing(now, "nobody answers").is_some());
        assert!(live.heard_nothing(now, "nobody answers").is_none());
        let later = now + Duration::from_secs(12);
        assert!(live.headline(later).contains("not answered for 12 s"));
        let told = live.saw(later, Some(owned_by("one")));
        assert_eq!(told[0].what, "Kafka answers again, after 12.0 s");
        assert_eq!(told.len(), 1, "nothing has moved");
    }
}
