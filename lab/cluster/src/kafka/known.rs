//! What a cluster has answered, kept for as long as it is sure to be true.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use parking_lot::Mutex;

use crate::TopicPartition;
use crate::end_offsets::Leaders;
use crate::isolation::Isolation;
use crate::kafka::record::Record;

/// An answer is not kept for longer, whatever anybody says. A broker also does things by itself: when it aborts a transaction, it
/// writes markers among the records. It commits nothing by itself.
const OLDEST_ENDS: Duration = Duration::from_millis(500);
const OLDEST_COMMITS: Duration = Duration::from_secs(2);

/// How long it is kept while a change may be under way.
const OLDEST_IF_UNSURE: Duration = Duration::from_millis(40);

/// For this long after a transaction has ended, the broker may still be writing its markers.
pub const MARKERS: Duration = Duration::from_millis(300);

/// What is known of the changes to the records and the committed offsets of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changes {
    /// How many have changed records so far.
    pub of_records: u64,
    /// How many have changed committed offsets so far.
    pub of_commits: u64,
    /// Whether all of them have taken effect.
    pub are_settled: bool,
}

/// What a topic held when it was last read: the end offsets up to which it was read, and its records.
pub type Held = (Vec<i64>, Vec<Record>);

/// The answers that are kept.
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

impl Default for Known {
    fn default() -> Self {
        Self {
            ends: Answers::for_up_to(OLDEST_ENDS),
            commits: Answers::for_up_to(OLDEST_COMMITS),
            records: Mutex::default(),
            partitions: Mutex::default(),
            leaders: Mutex::default(),
            unsure_until: Mutex::default(),
        }
    }
}

impl Known {
    /// Forgets what changes when a group is removed.
    pub fn forget_answers(&self) {
        self.ends.forget();
        self.commits.forget();
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
pub struct Answers<K, V> {
    kept: Mutex<BTreeMap<K, Answer<V>>>,
    oldest: Duration,
}

struct Answer<V> {
    value: V,
    changes: u64,
    is_settled: bool,
    asked_at: Instant,
}

impl<K: Ord, V: Clone> Answers<K, V> {
    /// Answers that are kept for up to this time.
    fn for_up_to(oldest: Duration) -> Self {
        Self {
            kept: Mutex::default(),
            oldest,
        }
    }

    /// Forgets them.
    pub fn forget(&self) {
        self.kept.lock().clear();
    }

    /// The answer that is kept, if there have been no more changes since it was given; otherwise a new one. `changes` says how
    /// many changes of this kind there were, and whether all have taken effect; `None` if nobody knows.
    ///
    /// # Errors
    /// Those of `ask`.
    pub fn keep(
        &self,
        changes: Option<(u64, bool)>,
        question: K,
        ask: impl FnOnce() -> Result<V>,
    ) -> Result<V> {
        let Some((changes, is_settled)) = changes else {
            return ask();
        };
        let oldest = if is_settled {
            self.oldest
        } else {
            OLDEST_IF_UNSURE
        };
        if let Some(answer) = self.kept.lock().get(&question)
            && (answer.changes, answer.is_settled) == (changes, is_settled)
            && answer.asked_at.elapsed() < oldest
        {
            return Ok(answer.value.clone());
        }
        let asked_at = Instant::now();
        let value = ask()?;
        let answer = Answer {
            value: value.clone(),
            changes,
            is_settled,
            asked_at,
        };
        self.kept.lock().insert(question, answer);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_again_only_after_a_change() -> Result<()> {
        let after = |count| Some((count, true));
        let answers = Answers::for_up_to(OLDEST_ENDS);
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
        let answers = Answers::for_up_to(OLDEST_ENDS);
        assert_eq!(answers.keep(Some((7, false)), "ends", || Ok(1))?, 1);
        assert_eq!(answers.keep(Some((7, true)), "ends", || Ok(2))?, 2);
        Ok(())
    }
}
