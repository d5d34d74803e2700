//! The offsets that one run of the crash simulator read.

use std::collections::BTreeMap;
use std::fmt;

/// The offsets read in each partition, in the order in which the program printed them.
#[derive(Debug, Default)]
pub struct OffsetsRead(BTreeMap<i32, Vec<i64>>);

impl OffsetsRead {
    /// Adds an offset that the program read.
    pub fn add(&mut self, partition: i32, offset: i64) {
        self.0.entry(partition).or_default().push(offset);
    }

    /// How many messages the program read in all partitions together.
    pub fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// The partitions that the program read.
    pub fn partitions(&self) -> impl Iterator<Item = i32> {
        self.0.keys().copied()
    }

    /// Whether the program read each of its partitions without a gap, beginning at the offset that `first` returns for it.
    pub fn begins_at(&self, first: impl Fn(i32) -> i64) -> bool {
        self.0.iter().all(|(partition, offsets)| {
            let expected = (first(*partition)..).take(offsets.len());
            offsets.iter().copied().eq(expected)
        })
    }

    /// How many of these messages an earlier run had read as well.
    pub fn repeated_from(&self, earlier: &Self) -> usize {
        let is_repeated = |partition: &i32, offset: &&i64| {
            let offsets = earlier.0.get(partition);
            offsets.is_some_and(|offsets| offsets.contains(offset))
        };
        let repeated = self.0.iter().map(|(partition, offsets)| {
            let repeated = offsets
                .iter()
                .filter(|offset| is_repeated(partition, offset));
            repeated.count()
        });
        repeated.sum()
    }
}

/// Displays the first and the last offset in each partition: `offsets 0–14 of partition 2`.
impl fmt::Display for OffsetsRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges = self.0.iter().filter_map(|(partition, offsets)| {
            let (first, last) = (offsets.first()?, offsets.last()?);
            Some(format!("offsets {first}–{last} of partition {partition}"))
        });
        let ranges: Vec<String> = ranges.collect();
        if ranges.is_empty() {
            return f.write_str("nothing");
        }
        f.write_str(&ranges.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(offsets: &[(i32, i64)]) -> OffsetsRead {
        let mut read = OffsetsRead::default();
        for (partition, offset) in offsets {
            read.add(*partition, *offset);
        }
        read
    }

    #[test]
    fn finds_gaps_and_wrong_first_offsets() {
        let from_zero = read(&[(0, 0), (2, 0), (0, 1)]);
        assert!(from_zero.begins_at(|_| 0));
        assert!(!from_zero.begins_at(|_| 1));
        assert!(!read(&[(1, 0), (1, 2)]).begins_at(|_| 0));
    }

    #[test]
    fn counts_messages_that_an_earlier_run_had_read() {
        let first = read(&[(0, 0), (0, 1), (2, 0)]);
        let second = read(&[(0, 1), (0, 2), (1, 0), (2, 0)]);
        assert_eq!(second.repeated_from(&first), 2);
        assert_eq!(second.count(), 4);
    }

    #[test]
    fn displays_ranges() {
        let read = read(&[(2, 0), (0, 5), (2, 1)]);
        assert_eq!(
            read.to_string(),
            "offsets 5–5 of partition 0, offsets 0–1 of partition 2"
        );
        assert_eq!(OffsetsRead::default().to_string(), "nothing");
    }
}
