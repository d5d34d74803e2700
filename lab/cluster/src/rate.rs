//! How fast a group processes records, computed from its commits.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::TopicPartition;

type Commits = BTreeMap<TopicPartition, i64>;

/// The commits of the last [`GroupProgress::WINDOW`].
#[derive(Debug, Default)]
pub struct GroupProgress(VecDeque<(Instant, Commits)>);

impl GroupProgress {
    /// The time over which a rate is computed. By default, a client commits every 5 s (`auto.commit.interval.ms`). A shorter
    /// window would show either a burst or nothing.
    pub const WINDOW: Duration = Duration::from_secs(10);

    /// Takes note of the group's committed offsets at `at`.
    pub fn add(&mut self, at: Instant, commits: Commits) {
        self.0.push_back((at, commits));
        while self
            .0
            .front()
            .is_some_and(|(oldest, _)| at - *oldest > Self::WINDOW)
        {
            self.0.pop_front();
        }
    }

    /// How many records of a partition the group has committed per second, over the window. `None` if the window does not
    /// hold at least two looks at which the partition had a commit.
    pub fn rate(&self, partition: &TopicPartition) -> Option<f64> {
        let mut known = self
            .0
            .iter()
            .filter_map(|(at, commits)| Some((*at, *commits.get(partition)?)));
        let (from, first) = known.next()?;
        let (to, last) = known.next_back()?;
        // A float holds whole numbers up to 2^53 exactly, and offsets are far smaller.
        #[allow(clippy::cast_precision_loss)]
        Some((last - first) as f64 / (to - from).as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_covers_the_last_ten_seconds() {
        let partition = TopicPartition {
            topic: "clickstream".to_string(),
            partition: 0,
        };
        let start = Instant::now();
        let mut progress = GroupProgress::default();
        let mut add = |second, offset| {
            let commits = BTreeMap::from([(partition.clone(), offset)]);
            progress.add(start + Duration::from_secs(second), commits);
            progress.rate(&partition)
        };
        assert_eq!(add(0, 0), None);
        assert_eq!(add(5, 100), Some(20.0));
        assert_eq!(add(15, 100), Some(0.0));
    }
}
