//! What a cluster has answered, kept for as long as it is sure to be true.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use parking_lot::Mutex;

use crate::TopicPartition;
use crate::end_offsets::Leaders;
use crate::isolation::Isolation;
use crate::kafka::record::Record;

/// An answer is not kept for longer, whatever anybody says: a broker also does things by itself, such as to abort a transaction.
const OLDEST: Duration = Duration::from_millis(500);

/// How long it is kept while a change may be under way.
const OLDEST_IF_UNSURE: Duration = Duration::from_millis(40);

/// For this long after a transaction has ended, the broker may still be writing its markers.
pub const MARKERS: Duration = Duration::from_millis(300);

/// What is known of the changes to the records and the committed offsets of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changes {
    /// How many there were so far.
    pub count: u64,
    /// Whether all of them have taken effect.
    pub are_settled: bool,
}

/// What a topic held when it was last read: the end offsets up to which it was read, and its records.
pub type Held = (Vec<i64>, Vec<Record>);

/// The answers that are kept.
#[derive(Default)]
pub struct Known {
    pub ends: Answers<(String, Isolation), Vec<i64>>,
    pub commits: Answers<String, BTreeMap<TopicPartition, i64>>,
    pub records: Mutex<BTreeMap<(String, Isolation), Held>>,
    /// How many partitions topics have, and which brokers lead them. A change of their number by somebody else goes unnoticed.
    pub partitions: Mutex<BTreeMap<String, i32>>,
    pub leaders: Mutex<BTreeMap<String, Leaders>>,
    /// Until when nothing is sure, because of something that we did.
    unsure_until: Mutex<Option<Instant>>,
}

impl Known {
    /// Forgets what we change by sending records or removing a group.
    pub fn forget_answers(&self) {
        self.ends.0.lock().clear();
        self.commits.0.lock().clear();
    }

    /// The same, for a change that takes effect only in a moment.
    pub fn forget_for_a_while(&self) {
        *self.unsure_until.lock() = Some(Instant::now() + MARKERS);
        self.forget_answers();
    }

    /// Forgets everything, because topics have been deleted.
    pub fn forget_topics(&self) {
        self.forget_answers();
        self.records.lock().clear();
        self.partitions.lock().clear();
        self.leaders.lock().clear();
    }

    /// Whether a change of ours may be under way.
    pub fn is_unsure(&self) -> bool {
        self.unsure_until
            .lock()
            .is_some_and(|until| Instant::now() < until)
    }
}

/// Answers to questions of one kind.
pub struct Answers<K, V>(Mutex<BTreeMap<K, Answer<V>>>);

struct Answer<V> {
    value: V,
    changes: Changes,
    asked_at: Instant,
}

impl<K, V> Default for Answers<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord, V: Clone> Answers<K, V> {
    /// The answer that is kept, if there have been no more changes since it was given; otherwise a new one. If `changes` is `None`,
    /// nobody knows.
    ///
    /// # Errors
    /// Those of `ask`.
    pub fn keep(
        &self,
        changes: Option<Changes>,
        question: K,
        ask: impl FnOnce() -> Result<V>,
    ) -> Result<V> {
        let Some(changes) = changes else {
            return ask();
        };
        let oldest = if changes.are_settled {
            OLDEST
        } else {
            OLDEST_IF_UNSURE
        };
        if let Some(answer) = self.0.lock().get(&question)
            && answer.changes == changes
            && answer.asked_at.elapsed() < oldest
        {
            return Ok(answer.value.clone());
        }
        let asked_at = Instant::now();
        let value = ask()?;
        let answer = Answer {
            value: value.clone(),
            changes,
            asked_at,
        };
        self.0.lock().insert(question, answer);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_again_only_after_a_change() -> Result<()> {
        let after = |count| {
            Some(Changes {
                count,
                are_settled: true,
            })
        };
        let answers = Answers::default();
        assert_eq!(answers.keep(after(7), "ends", || Ok(1))?, 1);
        assert_eq!(answers.keep(after(7), "ends", || Ok(2))?, 1);
        assert_eq!(answers.keep(after(7), "commits", || Ok(3))?, 3);
        assert_eq!(answers.keep(after(8), "ends", || Ok(4))?, 4);
        assert_eq!(answers.keep(None, "ends", || Ok(5))?, 5);
        assert_eq!(answers.keep(after(8), "ends", || Ok(6))?, 4);
        Ok(())
    }

    #[test]
    fn an_answer_from_before_all_had_settled_is_not_kept() -> Result<()> {
        let changes = |are_settled| {
            Some(Changes {
                count: 7,
                are_settled,
            })
        };
        let answers = Answers::default();
        assert_eq!(answers.keep(changes(false), "ends", || Ok(1))?, 1);
        assert_eq!(answers.keep(changes(true), "ends", || Ok(2))?, 2);
        Ok(())
    }
}
