//! The rebalances of a group, found by looking at the group again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use crate::group_description::{GroupDescription, GroupMember, GroupState, TopicPartition};
use crate::member_names::MemberNames;

/// Follows a group from look to look.
///
/// A rebalance is reported when it is over: when the group is stable again or empty. What begins and ends between two looks
/// is not seen.
#[derive(Debug, Default)]
pub struct Rebalances {
    names: MemberNames,
    /// When the group was last looked at; `None` before the first look.
    looked: Option<Instant>,
    ownership: Ownership,
    /// When the present rebalance began; `None` if there is none.
    begun: Option<Between>,
    /// The group when it was last settled, that is, not in a rebalance.
    settled: Option<Settled>,
}

/// The member id of each partition's owner.
type Owners = BTreeMap<TopicPartition, String>;

/// When something happened: after the first of these two looks, and before the second.
type Between = (Instant, Instant);

/// Who owns each partition, and how long partitions have been without an owner.
#[derive(Debug, Default)]
struct Ownership {
    owners: Owners,
    /// The partitions without an owner, and when each lost its last one.
    idle: BTreeMap<TopicPartition, Between>,
    /// The partitions that have found an owner again, and how long each was without one.
    gaps: BTreeMap<TopicPartition, Span>,
}

/// A group that is settled.
#[derive(Debug)]
struct Settled {
    owners: Owners,
    /// The name of each member, by member id.
    members: BTreeMap<String, String>,
}

/// A rebalance that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Rebalance {
    /// From the first change of members until the group was settled again. Unknown if all of it was between two looks.
    pub took: Option<Span>,
    /// The names of the members that joined.
    pub joined: Vec<String>,
    /// The names of the members that left or timed out.
    pub gone: Vec<String>,
    /// The partitions that changed their owner, or had none for a while.
    pub shifts: Vec<Shift>,
    /// Whether all partitions of the group belong to one topic. Then its name can be left out.
    pub of_one_topic: bool,
}

/// Partitions that had the same owner before and have the same owner now.
#[derive(Clone, Debug, PartialEq)]
pub struct Shift {
    pub partitions: Vec<TopicPartition>,
    /// The owner before.
    pub from: Option<String>,
    /// The owner now.
    pub to: Option<String>,
    /// How long the partitions had no owner. Unknown if they had none at the first look, or if they have none yet.
    pub idle: Option<Span>,
}

/// How long something lasted. There is a time between looks, so only bounds are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    pub least: Duration,
    pub most: Duration,
}

impl Span {
    fn of(begin: Between, end: Between) -> Self {
        Self {
            least: end.0.saturating_duration_since(begin.1),
            most: end.1 - begin.0,
        }
    }

    /// For something that began and ended between the same two looks.
    fn within((before, after): Between) -> Self {
        Self {
            least: Duration::ZERO,
            most: after - before,
        }
    }
}

impl Ownership {
    /// Takes note of who owns what at the second of these two looks.
    fn update(&mut self, owners: Owners, looks: Between) {
        for partition in self.owners.keys() {
            if !owners.contains_key(partition) {
                self.idle.entry(partition.clone()).or_insert(looks);
            }
        }
        for (partition, owner) in &owners {
            let gap = if let Some(lost) = self.idle.remove(partition) {
                Span::of(lost, looks)
            } else if self.owners.get(partition).is_some_and(|old| old != owner) {
                Span::within(looks)
            } else {
                continue;
            };
            self.gaps.insert(partition.clone(), gap);
        }
        self.owners = owners;
    }

    /// Takes the partitions that have found an owner again since the last call, and how long each was without one.
    fn take_gaps(&mut self) -> BTreeMap<TopicPartition, Span> {
        std::mem::take(&mut self.gaps)
    }
}

impl Settled {
    /// The names of the members that are not in `other`.
    fn members_not_in(&self, other: &Self) -> Vec<String> {
        self.members
            .iter()
            .filter(|(id, _)| !other.members.contains_key(*id))
            .map(|(_, name)| name.clone())
            .collect()
    }
}

impl Rebalances {
    /// Takes note of what the group looked like at `at`; `None` if there was no such group. Returns the rebalance that is
    /// now over, if there is one.
    pub fn look(&mut self, at: Instant, group: Option<&GroupDescription>) -> Option<Rebalance> {
        let members = group.map_or(&[][..], |group| &group.members);
        let state = group.map_or(GroupState::Empty, |group| group.state);
        let looks = (self.looked.replace(at).unwrap_or(at), at);
        self.names.update(members);
        self.ownership.update(owners(members), looks);
        if state.is_rebalancing() {
            self.begun.get_or_insert(looks);
            return None;
        }
        let took = self.begun.take().map(|begun| Span::of(begun, looks));
        let now = self.settled(members);
        let rebalance = self.settled.take().and_then(|before| {
            let gaps = self.ownership.take_gaps();
            Rebalance::between(&before, &now, took, &gaps)
        });
        self.settled = Some(now);
        rebalance
    }

    /// The group as it is now, which is settled.
    fn settled(&self, members: &[GroupMember]) -> Settled {
        let ids = members.iter().map(|member| &member.member_id);
        Settled {
            owners: self.ownership.owners.clone(),
            members: ids.map(|id| (id.clone(), self.names.name(id))).collect(),
        }
    }

    /// The present members' names.
    pub fn names(&self) -> &MemberNames {
        &self.names
    }
}

fn owners(members: &[GroupMember]) -> Owners {
    members
        .iter()
        .flat_map(|member| {
            let owned = member.partitions.iter().cloned();
            owned.map(|partition| (partition, member.member_id.clone()))
        })
        .collect()
}

/// What became of the partitions. Those come first that have moved.
fn shifts(before: &Settled, now: &Settled, gaps: &BTreeMap<TopicPartition, Span>) -> Vec<Shift> {
    let name = |id: &String| {
        let name = now.members.get(id).or_else(|| before.members.get(id));
        name.unwrap_or(id).clone()
    };
    let mut alike: BTreeMap<_, Vec<TopicPartition>> = BTreeMap::new();
    for partition in partitions(before, now) {
        let (from, to) = (before.owners.get(partition), now.owners.get(partition));
        let idle = gaps.get(partition).copied();
        if from != to || idle.is_some() {
            let way = (from.map(name), to.map(name), idle);
            alike.entry(way).or_default().push(partition.clone());
        }
    }
    let mut shifts: Vec<Shift> = alike
        .into_iter()
        .map(|((from, to, idle), partitions)| Shift {
            partitions,
            from,
            to,
            idle,
        })
        .collect();
    shifts.sort_by_key(|shift| (shift.from == shift.to, shift.partitions.clone()));
    shifts
}

/// All partitions that have or had an owner.
fn partitions<'a>(before: &'a Settled, now: &'a Settled) -> BTreeSet<&'a TopicPartition> {
    before.owners.keys().chain(now.owners.keys()).collect()
}

impl Rebalance {
    /// The rebalance that took the group from `before` to `now`; `None` if nothing has changed. `gaps` is how long partitions
    /// had no owner.
    fn between(
        before: &Settled,
        now: &Settled,
        took: Option<Span>,
        gaps: &BTreeMap<TopicPartition, Span>,
    ) -> Option<Self> {
        let topics: BTreeSet<&String> = partitions(before, now)
            .into_iter()
            .map(|partition| &partition.topic)
            .collect();
        let rebalance = Self {
            took,
            joined: now.members_not_in(before),
            gone: before.members_not_in(now),
            shifts: shifts(before, now, gaps),
            of_one_topic: topics.len() == 1,
        };
        let is_empty =
            rebalance.joined.is_empty() && rebalance.gone.is_empty() && rebalance.shifts.is_empty();
        (!is_empty).then_some(rebalance)
    }

    /// Who joined or went, and how long the rebalance took: `B joined; the rebalance took 2.9 s ± 0.3 s`.
    pub fn headline(&self) -> String {
        let mut parts = Vec::new();
        if !self.joined.is_empty() {
            parts.push(format!("{} joined", self.joined.join(" and ")));
        }
        if !self.gone.is_empty() {
            // The coordinator does not say which of the two happened.
            let gone = self.gone.join(" and ");
            parts.push(format!("{gone} left or timed out"));
        }
        if parts.is_empty() {
            parts.push("partitions were reassigned among the same members".to_string());
        }
        if let Some(took) = self.took {
            parts.push(format!("the rebalance took {took}"));
        }
        parts.join("; ")
    }

    /// The shifts, one line each: `partition 2: A → B, without an owner for 1.7 s ± 0.3 s`.
    pub fn moves(&self) -> impl Iterator<Item = String> {
        self.shifts.iter().map(|shift| {
            let owner = |owner: &Option<String>| owner.as_deref().unwrap_or("nobody").to_string();
            let (from, to) = (owner(&shift.from), owner(&shift.to));
            let way = if from == to {
                format!("{to} as before")
            } else {
                format!("{from} → {to}")
            };
            let idle = shift
                .idle
                .map(|idle| format!(", without an owner for {idle}"));
            let partitions = self.numbers(&shift.partitions);
            format!("{partitions}: {way}{}", idle.unwrap_or_default())
        })
    }

    /// The numbers of partitions: `partitions 0, 1`, or with topics `clickstream 0, 1; orders 2`.
    fn numbers(&self, partitions: &[TopicPartition]) -> String {
        let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for TopicPartition { topic, partition } in partitions {
            by_topic.entry(topic).or_default().push(*partition);
        }
        let lists = by_topic.into_iter().map(|(topic, numbers)| {
            let list = ranges(&numbers);
            match numbers.len() {
                _ if !self.of_one_topic => format!("{topic} {list}"),
                1 => format!("partition {list}"),
                _ => format!("partitions {list}"),
            }
        });
        lists.collect::<Vec<_>>().join("; ")
    }
}

/// A span in seconds, such as `1.7 s ± 0.3 s` or `less than 0.3 s`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (self.least.as_secs_f64(), self.most.as_secs_f64());
        if self.least.is_zero() {
            return write!(f, "less than {} s", tenths(most));
        }
        let (middle, error) = (f64::midpoint(least, most), (most - least) / 2.0);
        write!(f, "{middle:.1} s ± {} s", tenths(error))
    }
}

/// A list of numbers, such as `0, 1, 4`. Four or more numbers in a row are shortened to `0–7`.
fn ranges(numbers: &[i32]) -> String {
    let runs = numbers.chunk_by(|one, next| one + 1 == *next);
    let texts = runs.map(|run| match run {
        [first, _, _, .., last] => format!("{first}–{last}"),
        few => few
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// Rounds up to tenths, so that an error does not look smaller than it is.
fn tenths(seconds: f64) -> String {
    format!("{:.1}", (seconds * 10.0).ceil() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group_description::{GroupMember, GroupProtocol};

    /// Looks at a group every 250 ms.
    struct Looks {
        rebalances: Rebalances,
        at: Instant,
    }

    impl Looks {
        fn new() -> Self {
            Self {
                rebalances: Rebalances::default(),
                at: Instant::now(),
            }
        }

        fn look(&mut self, state: GroupState, members: &[(&str, &[i32])]) -> Vec<String> {
            self.at += Duration::from_millis(250);
            let members = members.iter().map(|(name, partitions)| GroupMember {
                client_id: name.to_string(),
                member_id: format!("id of {name}"),
                partitions: partitions
                    .iter()
                    .map(|partition| TopicPartition {
                        topic: "clickstream".to_string(),
                        partition: *partition,
                    })
                    .collect(),
            });
            let group = GroupDescription {
                state,
                protocol: GroupProtocol::Classic,
                members: members.collect(),
            };
            let rebalance = self.rebalances.look(self.at, Some(&group));
            rebalance.map_or(Vec::new(), |rebalance| {
                std::iter::once(rebalance.headline())
                    .chain(rebalance.moves())
                    .collect()
            })
        }
    }

    use GroupState::{CompletingRebalance, Empty, PreparingRebalance, Stable};

    const NOTHING: &[String] = &[];

    #[test]
    fn reports_who_joined_what_moved_and_how_long_it_had_no_owner() {
        let mut looks = Looks::new();
        assert_eq!(looks.look(Stable, &[("A", &[0, 1, 2])]), NOTHING);
        for _ in 0..4 {
            assert_eq!(
                looks.look(PreparingRebalance, &[("A", &[]), ("B", &[])]),
                NOTHING
            );
        }
        assert_eq!(
            looks.look(CompletingRebalance, &[("A", &[]), ("B", &[])]),
            NOTHING
        );
        assert_eq!(
            looks.look(Stable, &[("A", &[0, 1]), ("B", &[2])]),
            [
                "B joined; the rebalance took 1.2 s ± 0.3 s",
                "partition 2: A → B, without an owner for 1.2 s ± 0.3 s",
                "partitions 0, 1: A as before, without an owner for 1.2 s ± 0.3 s",
            ]
        );
        assert_eq!(
            looks.look(Stable, &[("A", &[0, 1]), ("B", &[2])]),
            NOTHING,
            "it is reported once"
        );
    }

    #[test]
    fn a_rebalance_between_two_looks_took_less_than_the_time_between_them() {
        let mut looks = Looks::new();
        looks.look(Stable, &[("A", &[0, 1]), ("B", &[2])]);
        assert_eq!(
            looks.look(Stable, &[("B", &[0, 1, 2])]),
            [
                "A left or timed out",
                "partitions 0, 1: A → B, without an owner for less than 0.3 s",
            ]
        );
    }

    #[test]
    fn the_partitions_of_an_empty_group_have_no_owner_until_a_member_joins() {
        let mut looks = Looks::new();
        looks.look(Stable, &[("A", &[0])]);
        assert_eq!(
            looks.look(Empty, &[]),
            ["A left or timed out", "partition 0: A → nobody",]
        );
        for _ in 0..8 {
            assert_eq!(looks.look(Empty, &[]), NOTHING);
        }
        assert_eq!(
            looks.look(Stable, &[("C", &[0])]),
            [
                "C joined",
                "partition 0: nobody → C, without an owner for 2.2 s ± 0.3 s",
            ]
        );
    }

    #[test]
    fn a_rebalance_in_progress_at_the_first_look_is_not_reported() {
        let mut looks = Looks::new();
        assert_eq!(looks.look(PreparingRebalance, &[("A", &[])]), NOTHING);
        assert_eq!(looks.look(Stable, &[("A", &[0])]), NOTHING);
    }

    #[test]
    fn many_partitions_are_shortened() {
        assert_eq!(ranges(&[0, 1, 2, 4, 6, 7, 8, 9]), "0, 1, 2, 4, 6–9");
    }

    #[test]
    fn a_group_that_does_not_exist_yet_begins_with_the_first_member() {
        let mut looks = Looks::new();
        assert_eq!(looks.rebalances.look(looks.at, None), None);
        assert_eq!(
            looks.look(Stable, &[("A", &[0, 1])]),
            ["A joined", "partitions 0, 1: nobody → A"]
        );
    }

    #[test]
    fn the_same_members_may_get_other_partitions() {
        let mut looks = Looks::new();
        looks.look(Stable, &[("A", &[0]), ("B", &[])]);
        looks.look(PreparingRebalance, &[("A", &[]), ("B", &[])]);
        assert_eq!(
            looks.look(Stable, &[("A", &[]), ("B", &[0])]),
            [
                "partitions were reassigned among the same members; the rebalance took less than 0.5 s",
                "partition 0: A → B, without an owner for less than 0.5 s",
            ]
        );
    }
}
