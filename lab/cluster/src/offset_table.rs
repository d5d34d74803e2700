//! A consumer group at one moment: who owns which partition, and how far the commits are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::Result;

use crate::Kafka;
use crate::group_description::{GroupDescription, GroupMember, TopicPartition};
use crate::member_names::MemberNames;
use crate::table::table;
use crate::wire::ANSWER_LIMIT;

/// What `kafka-consumer-groups --describe` shows, for every partition of a topic, whether or not anything was committed
/// there and whether or not anyone is left in the group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupTable {
    pub group: String,
    pub rows: Vec<Row>,
}

/// One partition.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub partition: TopicPartition,
    /// The name of the member that owns it.
    pub owner: Option<String>,
    /// The offset the group would go on at. Without a commit there is none; that is not 0.
    pub committed: Option<i64>,
    /// That of the next record. Unknown while the partition has no leader.
    pub end: Option<i64>,
}

/// How far a group has come, and how far it could.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupOffsets {
    /// The offset the group would go on at, of each partition with a commit.
    pub committed: BTreeMap<TopicPartition, i64>,
    /// The end offset of every partition that the table is to show; `None` while it has no leader.
    pub ends: BTreeMap<TopicPartition, Option<i64>>,
}

/// The cells of a table, as text.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    pub header: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

/// The topics in which a group has commits or owns partitions.
pub fn topics_of(
    description: Option<&GroupDescription>,
    committed: &BTreeMap<TopicPartition, i64>,
) -> BTreeSet<String> {
    let members = description.map_or(&[][..], |description| &description.members);
    let owned = members.iter().flat_map(|member| &member.partitions);
    let partitions = owned.chain(committed.keys());
    partitions
        .map(|partition| partition.topic.clone())
        .collect()
}

impl Row {
    /// How many records the group has yet to read: end less committed.
    pub fn lag(&self) -> Option<i64> {
        Some(self.end? - self.committed?)
    }
}

impl GroupTable {
    /// Asks Kafka, for the partitions of one topic. Where there is no such topic, there are none.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn read(kafka: &Kafka, group: &str, topic: &str) -> Result<Self> {
        let topics = BTreeSet::from([topic.to_string()]);
        let offsets = GroupOffsets {
            ends: kafka.ends_of(&topics, ANSWER_LIMIT)?,
            committed: kafka.commits(group, ANSWER_LIMIT)?,
        };
        let description = kafka.describe(group, ANSWER_LIMIT)?;
        let members = description.map_or(Vec::new(), |description| description.members);
        Ok(Self::new(
            group,
            &members,
            &MemberNames::of(&members),
            &offsets,
        ))
    }

    /// A row for each partition with an end.
    pub fn new(
        group: &str,
        members: &[GroupMember],
        names: &MemberNames,
        offsets: &GroupOffsets,
    ) -> Self {
        let rows = offsets.ends.iter().map(|(partition, end)| Row {
            partition: partition.clone(),
            owner: members
                .iter()
                .find(|member| member.partitions.contains(partition))
                .map(|member| names.name(&member.member_id)),
            committed: offsets.committed.get(partition).copied(),
            end: *end,
        });
        Self {
            group: group.to_string(),
            rows: rows.collect(),
        }
    }

    /// Its cells. The topic is named where there are several.
    pub fn grid(&self) -> Grid {
        let topics: BTreeSet<&str> = self
            .rows
            .iter()
            .map(|row| row.partition.topic.as_str())
            .collect();
        let several = topics.len() > 1;
        let cells = |row: &Row| {
            let owner = row.owner.clone().unwrap_or_else(|| "nobody".to_string());
            let rest = [
                row.partition.partition.to_string(),
                owner,
                offset(row.committed),
                or_dash(row.end),
                or_dash(row.lag()),
            ];
            let topic = several.then(|| row.partition.topic.clone());
            topic.into_iter().chain(rest).collect()
        };
        let header = ["partition", "owner", "committed", "end", "lag"];
        Grid {
            header: several
                .then_some("topic")
                .into_iter()
                .chain(header)
                .collect(),
            rows: self.rows.iter().map(cells).collect(),
        }
    }

    /// The same, with a last row for all of them together. Where an end or a lag is unknown, theirs is
    /// at least that of the others.
    pub fn grid_with_totals(&self) -> Grid {
        let sum = |of: fn(&Row) -> Option<i64>| {
            let known: Vec<i64> = self.rows.iter().filter_map(of).collect();
            let sum = (!known.is_empty()).then(|| known.iter().sum::<i64>());
            (or_dash(sum), known.len() < self.rows.len())
        };
        let at_least = |of| match sum(of) {
            (sum, true) if sum != "-" => format!("≥ {sum}"),
            (sum, _) => sum,
        };
        let mut grid = self.grid();
        let mut cells = vec![String::new(); grid.header.len() - 4];
        cells.push("all".to_string());
        cells.extend([
            sum(|row| row.committed).0,
            at_least(|row| row.end),
            at_least(Row::lag),
        ]);
        grid.rows.push(cells);
        grid
    }
}

impl Grid {
    /// Is this a column of numbers?
    pub fn is_number(header: &str) -> bool {
        !matches!(header, "topic" | "owner")
    }
}

/// Indented by two blanks.
impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = 0..self.header.len();
        let numbers: Vec<usize> = columns
            .filter(|column| Self::is_number(self.header[*column]))
            .collect();
        f.write_str(&table(&self.header, &numbers, &self.rows))
    }
}

impl fmt::Display for GroupTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  group {}\n{}", self.group, self.grid())
    }
}

/// Are the committed offsets at the end of each partition? One that is empty needs no commit.
pub fn is_past(committed: &[Option<i64>], ends: &[i64]) -> bool {
    let committed = committed.iter().map(|committed| committed.unwrap_or(0));
    committed.eq(ends.iter().copied())
}

/// Committed offsets of all partitions together; a partition without a commit counts as 0.
pub fn sum(committed: &[Option<i64>]) -> i64 {
    // A program may commit any offset.
    let offsets = committed.iter().flatten();
    offsets.fold(0, |sum, offset| sum.saturating_add(*offset))
}

/// Committed offsets by partition: `21, 47, no commit`.
pub fn offsets(committed: &[Option<i64>]) -> String {
    let offsets: Vec<String> = committed.iter().copied().map(offset).collect();
    offsets.join(", ")
}

fn offset(committed: Option<i64>) -> String {
    committed.map_or_else(|| "no commit".to_string(), |offset| offset.to_string())
}

fn or_dash(number: Option<i64>) -> String {
    number.map_or_else(|| "-".to_string(), |number| number.to_string())
}
