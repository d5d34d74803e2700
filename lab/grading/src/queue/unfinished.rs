//! Up to where a partition may be committed, when its records are finished in any order.

use std::collections::BTreeSet;

/// The records of a partition that were taken and are not finished.
#[derive(Debug, Default)]
pub struct Unfinished {
    offsets: BTreeSet<i64>,
    /// The offset behind the last record that was taken.
    next: i64,
    committed: Option<i64>,
}

impl Unfinished {
    /// Takes the record at this offset.
    pub fn take(&mut self, offset: i64) {
        self.offsets.insert(offset);
        self.next = self.next.max(offset + 1);
    }

    /// The record at this offset is finished: its result is stored, or there is none.
    pub fn finish(&mut self, offset: i64) {
        self.offsets.remove(&offset);
    }

    /// The offset to commit, if that was not committed yet: the first record that is not finished. The records behind it may be
    /// finished; if they are read again, their results are found.
    pub fn to_commit(&self) -> Option<i64> {
        let position = self.offsets.first().copied().unwrap_or(self.next);
        (position > 0 && self.committed != Some(position)).then_some(position)
    }

    /// Kafka has stored this offset.
    pub fn committed(&mut self, offset: i64) {
        self.committed = Some(offset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_committed_past_a_record_that_is_not_finished() {
        let mut partition = Unfinished::default();
        assert_eq!(partition.to_commit(), None);
        for offset in 7..10 {
            partition.take(offset);
        }
        partition.finish(8);
        assert_eq!(partition.to_commit(), Some(7));
        partition.committed(7);
        assert_eq!(partition.to_commit(), None);
        partition.finish(7);
        assert_eq!(partition.to_commit(), Some(9));
        partition.finish(9);
        assert_eq!(partition.to_commit(), Some(10));
    }
}
