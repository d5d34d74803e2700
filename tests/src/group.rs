//! A consumer group at one moment: who owns which partition, and how far the commits are.

use std::fmt;

use anyhow::Result;

use crate::Kafka;
use crate::table::table;

/// What `kafka-consumer-groups --describe` shows, for every partition of a topic, whether or not anything was committed
/// there and whether or not anyone is left in the group.
#[derive(Clone, Debug)]
pub struct GroupTable {
    pub group: String,
    pub rows: Vec<Row>,
}

/// One partition.
#[derive(Clone, Debug)]
pub struct Row {
    pub partition: i32,
    /// The `client.id` of the member that owns it.
    pub owner: Option<String>,
    /// The offset the group would go on at. Without a commit there is none; that is not 0.
    pub committed: Option<i64>,
    pub end: i64,
}

impl Row {
    /// How many records the group has yet to read: end less committed.
    pub fn lag(&self) -> Option<i64> {
        self.committed.map(|committed| self.end - committed)
    }
}

impl GroupTable {
    /// Asks Kafka.
    ///
    /// # Errors
    /// When the cluster does not answer, or there is no such topic.
    pub fn read(kafka: &Kafka, group: &str, topic: &str) -> Result<Self> {
        let ends = kafka.ends(topic)?;
        let committed = kafka.committed(group, topic)?;
        let members = kafka.members(group, topic)?;
        let rows = (0..).zip(ends).zip(committed);
        let rows = rows.map(|((partition, end), committed)| Row {
            partition,
            owner: members
                .iter()
                .find(|member| member.partitions.contains(&partition))
                .map(|member| member.client_id.clone()),
            committed,
            end,
        });
        Ok(Self {
            group: group.to_string(),
            rows: rows.collect(),
        })
    }
}

impl fmt::Display for GroupTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows.iter().map(|row| {
            [
                row.partition.to_string(),
                row.owner.clone().unwrap_or_else(|| "nobody".to_string()),
                offset(row.committed),
                row.end.to_string(),
                row.lag()
                    .map_or_else(|| "-".to_string(), |lag| lag.to_string()),
            ]
        });
        let header = ["partition", "owner", "committed", "end", "lag"];
        write!(
            f,
            "  group {}\n{}",
            self.group,
            table(&header, &[0, 2, 3, 4], rows)
        )
    }
}

/// Committed offsets by partition: `21, 47, no commit`.
pub fn offsets(committed: &[Option<i64>]) -> String {
    let offsets: Vec<String> = committed.iter().copied().map(offset).collect();
    offsets.join(", ")
}

fn offset(committed: Option<i64>) -> String {
    committed.map_or_else(|| "no commit".to_string(), |offset| offset.to_string())
}
