//! The rebalances of a group, told from looking at it again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use crate::group_description::{GroupDescription, GroupState, TopicPartition};
use crate::member_names::MemberNames;

/// Follows a group from look to look.
///
/// A rebalance is told when it is over: when the group is stable again or empty. What came and went between two looks is
/// not seen.
#[derive(Debug, Default)]
pub struct Rebalances {
    names: MemberNames,
    /// How the group stood when it was settled last.
    settled: Option<Settled>,
    /// When it began to rebalance, if it does.
    begun: Option<Between>,
    /// When it was looked at last.
    looked: Option<Instant>,
    /// Who owned what then, by member id.
    owners: Owners,
    /// Partitions that have lost their owner.
    idle: BTreeMap<TopicPartition, Between>,
    /// Partitions that have found one again, since the group was settled last.
    resumed: BTreeMap<TopicPartition, Span>,
}

type Owners = BTreeMap<TopicPartition, String>;

/// It happened after the one look and before the other.
type Between = (Instant, Instant);

#[derive(Debug)]
struct Settled {
    owners: Owners,
    /// The names of the members, by their ids.
    members: BTreeMap<String, String>,
}

/// A rebalance that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Rebalance {
    /// When it was seen to be over.
    pub at: Instant,
    /// From the first who joined or went until the group was stable again; unknown where that was between two looks.
    pub took: Option<Span>,
    /// Who joined.
    pub joined: Vec<String>,
    /// Who is a member no more.
    pub gone: Vec<String>,
    /// What became of partitions. One that stayed where it was, and was owned all the time, is not among them.
    pub shifts: Vec<Shift>,
    /// Do all partitions that the group owns belong to one topic? Then it need not be named.
    pub of_one_topic: bool,
}

/// Partitions that went the same way.
#[derive(Clone, Debug, PartialEq)]
pub struct Shift {
    pub partitions: Vec<TopicPartition>,
    /// Who owned them before.
    pub from: Option<String>,
    /// Who owns them now.
    pub to: Option<String>,
    /// How long nobody did. Unknown where nobody did before we looked, or nobody does yet.
    pub idle: Option<Span>,
}

/// How long something was so. Looks are apart, so this is certain only within bounds.
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
}

impl Rebalances {
    /// The group looked like this; `None`: there was no such group. Returns the rebalance that is over, if one is.
    pub fn look(&mut self, at: Instant, group: Option<&GroupDescription>) -> Option<Rebalance> {
        let members = group.map_or(&[][..], |group| &group.members);
        let state = group.map_or(GroupState::Empty, |group| group.state);
        self.names.update(members);
        let owners: Owners = members
            .iter()
            .flat_map(|member| {
                let owned = member.partitions.iter().cloned();
                owned.map(|partition| (partition, member.member_id.clone()))
            })
            .collect();

        let since = (self.looked.unwrap_or(at), at);
        for partition in self.owners.keys() {
            if !owners.contains_key(partition) {
                self.idle.entry(partition.clone()).or_insert(since);
            }
        }
        for partition in owners.keys() {
            if let Some(lost) = self.idle.remove(partition) {
                self.resumed
                    .insert(partition.clone(), Span::of(lost, since));
            }
        }
        for (partition, owner) in &owners {
            let before = self.owners.get(partition);
            if before.is_some_and(|before| before != owner) {
                // It had none, if at all, between the two looks.
                self.resumed.insert(
                    partition.clone(),
                    Span {
                        least: Duration::ZERO,
                        most: since.1 - since.0,
                    },
                );
            }
        }
        self.looked = Some(at);
        self.owners.clone_from(&owners);

        if state.is_rebalancing() {
            self.begun.get_or_insert(since);
            return None;
        }
        let took = self.begun.take().map(|begun| Span::of(begun, since));
        let ids = members.iter().map(|member| member.member_id.as_str());
        let now = Settled {
            owners,
            members: ids
                .map(|id| (id.to_string(), self.names.name(id)))
                .collect(),
        };
        let before = self.settled.replace(now)?;
        let resumed = std::mem::take(&mut self.resumed);
        let rebalance = self.rebalance(at, &before, &resumed)?;
        Some(Rebalance { took, ..rebalance })
    }

    /// What has become of the group since it was settled before.
    fn rebalance(
        &self,
        at: Instant,
        before: &Settled,
        resumed: &BTreeMap<TopicPartition, Span>,
    ) -> Option<Rebalance> {
        let now = self.settled.as_ref()?;
        let only_in = |these: &Settled, those: &Settled| -> Vec<String> {
            let only = these
                .members
                .iter()
                .filter(|(id, _)| !those.members.contains_key(*id));
            only.map(|(_, name)| name.clone()).collect()
        };
        let name = |id: &String| {
            let names = [now, before].map(|settled| settled.members.get(id));
            names.into_iter().flatten().next().unwrap_or(id).clone()
        };
        let mut shifts: BTreeMap<_, Vec<TopicPartition>> = BTreeMap::new();
        let partitions: BTreeSet<_> = before.owners.keys().chain(now.owners.keys()).collect();
        let topics: BTreeSet<_> = partitions
            .iter()
            .map(|partition| &partition.topic)
            .collect();
        for partition in partitions.iter().copied() {
            let (from, to) = (before.owners.get(partition), now.owners.get(partition));
            let idle = resumed.get(partition).copied();
            if from != to || idle.is_some() {
                shifts
                    .entry((from.map(name), to.map(name), idle))
                    .or_default()
                    .push(partition.clone());
            }
        }
        let mut shifts: Vec<Shift> = shifts
            .into_iter()
            .map(|((from, to, idle), partitions)| Shift {
                partitions,
                from,
                to,
                idle,
            })
            .collect();
        // What has moved comes first.
        shifts.sort_by_key(|shift| (shift.from == shift.to, shift.partitions.clone()));
        let rebalance = Rebalance {
            at,
            took: None,
            joined: only_in(now, before),
            gone: only_in(before, now),
            of_one_topic: topics.len() == 1,
            shifts,
        };
        let nothing =
            rebalance.joined.is_empty() && rebalance.gone.is_empty() && rebalance.shifts.is_empty();
        (!nothing).then_some(rebalance)
    }

    /// The names of the members as they are now.
    pub fn names(&self) -> &MemberNames {
        &self.names
    }
}

impl Rebalance {
    /// Why, if that can be told from outside, and how long it took: `B joined; the rebalance took 2.9 s ± 0.3 s`.
    pub fn headline(&self) -> String {
        let mut parts = Vec::new();
        if !self.joined.is_empty() {
            parts.push(format!("{} joined", self.joined.join(" and ")));
        }
        if !self.gone.is_empty() {
            // The coordinator tells nobody which of the two it was.
            let gone = self.gone.join(" and ");
            parts.push(format!("{gone} left or timed out"));
        }
        if parts.is_empty() {
            parts.push("the same members shared anew".to_string());
        }
        if let Some(took) = self.took {
            parts.push(format!("the rebalance took {took}"));
        }
        parts.join("; ")
    }

    /// What moved, a line each: `partition 2: A → B, without an owner for 1.7 s ± 0.3 s`.
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

    /// `partitions 0, 1`; with topics `clickstream 0, 1; orders 2`.
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

/// In seconds: `1.7 s ± 0.3 s`.
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

/// `0, 1, 4`, and `0–7` for more than three in a row.
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

/// Rounded up: an error is not made to look smaller.
fn tenths(seconds: f64) -> String {
    format!("{:.1}", (seconds * 10.0).ceil() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group_description::{GroupMember, GroupProtocol};

    /// Looks a quarter of a second apart.
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
            let told = self.rebalances.look(self.at, Some(&group));
            told.map_or(Vec::new(), |told| {
                std::iter::once(told.headline())
                    .chain(told.moves())
                    .collect()
            })
        }
    }

    use GroupState::{CompletingRebalance, Empty, PreparingRebalance, Stable};

    const NOTHING: &[String] = &[];

    #[test]
    fn tells_who_joined_what_moved_and_how_long_nobody_owned_it() {
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
            "it is told once"
        );
    }

    #[test]
    fn a_rebalance_between_two_looks_took_less_than_their_distance() {
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
    fn an_empty_group_leaves_its_partitions_to_nobody_until_someone_comes() {
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
    fn what_was_under_way_at_the_first_look_is_not_told() {
        let mut looks = Looks::new();
        assert_eq!(looks.look(PreparingRebalance, &[("A", &[])]), NOTHING);
        assert_eq!(looks.look(Stable, &[("A", &[0])]), NOTHING);
    }

    #[test]
    fn many_partitions_are_told_in_short() {
        assert_eq!(ranges(&[0, 1, 2, 4, 6, 7, 8, 9]), "0, 1, 2, 4, 6–9");
    }

    #[test]
    fn a_group_that_is_not_there_begins_with_who_joins() {
        let mut looks = Looks::new();
        assert_eq!(looks.rebalances.look(looks.at, None), None);
        assert_eq!(
            looks.look(Stable, &[("A", &[0, 1])]),
            ["A joined", "partitions 0, 1: nobody → A"]
        );
    }

    #[test]
    fn the_same_members_may_share_anew() {
        let mut looks = Looks::new();
        looks.look(Stable, &[("A", &[0]), ("B", &[])]);
        looks.look(PreparingRebalance, &[("A", &[]), ("B", &[])]);
        assert_eq!(
            looks.look(Stable, &[("A", &[]), ("B", &[0])]),
            [
                "the same members shared anew; the rebalance took less than 0.5 s",
                "partition 0: A → B, without an owner for less than 0.5 s",
            ]
        );
    }
}
