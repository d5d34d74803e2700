//! A consumer group at one moment: the owner and the offsets of each partition.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::Result;

use crate::Kafka;
use crate::group_description::{GroupDescription, GroupMember, TopicPartition};
use crate::member_names::MemberNames;
use crate::printable::printable;
use crate::table::table;
use crate::wire::ANSWER_LIMIT;

/// What `kafka-consumer-groups --describe` shows. Unlike that tool, this table has every partition of a topic, even if
/// nothing was committed there and if the group has no members.
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
    /// The offset at which the group would continue. `None` if there is no commit, which is not the same as 0.
    pub committed: Option<i64>,
    /// The offset of the next record. `None` while the partition has no leader.
    pub end: Option<i64>,
}

/// The committed offsets of a group and the end offsets of its topics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupOffsets {
    /// The committed offset of each partition that has one.
    pub committed: BTreeMap<TopicPartition, i64>,
    /// The end offset of each partition that the table shows; `None` while the partition has no leader.
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
    /// The lag: the end offset minus the committed offset.
    pub fn lag(&self) -> Option<i64> {
        Some(self.end? - self.committed?)
    }
}

impl GroupTable {
    /// Asks Kafka about the partitions of one topic. If there is no such topic, the table has no rows.
    ///
    /// # Errors
    /// If the cluster does not answer.
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

    /// A table with a row for each partition in `offsets.ends`.
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

    /// The table's cells. There is a column for the topic only if there are several topics.
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

    /// The table's cells, with a last row for all partitions together. If some ends or lags are unknown, the sum of the others
    /// is marked with `≥`.
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
    /// Whether the column with this header holds numbers.
    pub fn is_number(header: &str) -> bool {
        !matches!(header, "topic" | "owner")
    }
}

/// The cells in aligned columns, indented by two spaces.
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
        write!(f, "  group {}\n{}", printable(&self.group), self.grid())
    }
}

/// Whether the committed offsets are at the end of each partition. An empty partition needs no commit.
pub fn is_past(committed: &[Option<i64>], ends: &[i64]) -> bool {
    let committed = committed.iter().map(|committed| committed.unwrap_or(0));
    committed.eq(ends.iter().copied())
}

/// The sum of all committed offsets. A partition without a commit counts as 0.
pub fn sum(committed: &[Option<i64>]) -> i64 {
    // A program can commit any offset, so the sum could overflow.
    let offsets = committed.iter().flatten();
    offsets.fold(0, |sum, offset| sum.saturating_add(*offset))
}

/// The committed offset of each partition as text: `21, 47, no commit`.
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
