//! Which records of transactions a reader gets.

/// Which records of transactions a consumer reads (librdkafka's `isolation.level`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isolation {
    /// Only those of committed transactions. In each partition, reading ends at the first record of an open transaction.
    ReadCommitted,
    /// All of them, including those of transactions that were aborted or that are still open.
    ReadUncommitted,
}

impl Isolation {
    /// Its name in the settings of clients.
    pub fn level(self) -> &'static str {
        match self {
            Self::ReadCommitted => "read_committed",
            Self::ReadUncommitted => "read_uncommitted",
        }
    }

    /// Its number in Kafka's protocol.
    pub fn code(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
}
