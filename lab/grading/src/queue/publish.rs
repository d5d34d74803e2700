//! Publishes submissions.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use terminal::write_atomically;

use crate::intake::Intake;
use crate::queue::message::{Job, Note, What};
use crate::queue::store::Store;
use crate::queue::topics::LARGEST;

/// A publisher of one class.
pub struct Publisher<'a> {
    pub store: &'a Store,
    /// A folder that all machines see, for what is too large for a message.
    pub shared: Option<&'a Path>,
    /// The partition of the next submission, and how far it is to that of the one after it. Keys would spread submissions less
    /// evenly, and nobody needs their order.
    next: i32,
    step: i32,
    partitions: i32,
}

/// How far to go from one partition to the next. All have their turn, because the step has no divisor in common with their number.
/// And a few submissions are already spread, whether a worker owns partitions with consecutive numbers or every other one, because
/// the step is about the golden section.
fn step(partitions: i32) -> i32 {
    fn divisor(one: i32, other: i32) -> i32 {
        match other {
            0 => one,
            _ => divisor(other, one % other),
        }
    }
    let golden = partitions / 1000 * 618 + partitions % 1000 * 618 / 1000;
    let mut steps = golden.max(1)..=partitions;
    steps
        .find(|step| divisor(*step, partitions) == 1)
        .unwrap_or(1)
}

impl<'a> Publisher<'a> {
    /// A publisher that begins at any partition, so that small classes do not all wait in the first ones.
    ///
    /// # Errors
    /// When Kafka does not answer.
    pub fn new(store: &'a Store, shared: Option<&'a Path>) -> Result<Self> {
        let partitions = store.partitions()?;
        let next = rand::random_range(0..partitions);
        Ok(Self {
            store,
            shared,
            next,
            step: step(partitions),
            partitions,
        })
    }

    /// Publishes a submission, and then notes that it is published. If we are killed in between, it is published again, and the
    /// first result counts.
    ///
    /// # Errors
    /// When Kafka refuses, or a file cannot be written, or on Ctrl-C.
    pub fn publish(&mut self, job: &Job, packed: &[u8], who: &str) -> Result<()> {
        let archive = match self.shared {
            Some(folder) if packed.len() > LARGEST => {
                let file = folder.join(job.file().context("the digest is no digest")?);
                write_atomically(&file, packed)?;
                None
            }
            _ => Some(packed),
        };
        self.store.submission(self.next, job, archive)?;
        self.next = (self.next + self.step) % self.partitions;
        self.store.note(&Note {
            job: job.clone(),
            who: who.to_string(),
            what: What::Published,
        })
    }

    /// The intake as it travels.
    ///
    /// # Errors
    /// When it is too large for a message, and there is no shared folder. The message says what to do.
    pub fn packed(&self, intake: &Intake) -> Result<Vec<u8>> {
        let packed = intake.packed()?;
        if packed.len() > LARGEST && self.shared.is_none() {
            bail!(
                "it has {} MB when packed, but a message may have {} MB. Name a folder that all machines see, here and for \
                 each worker: `--shared DIR`",
                packed.len() >> 20,
                LARGEST >> 20
            );
        }
        Ok(packed)
    }
}

/// Removes what a job has left in the shared folder.
pub fn clean_up(shared: Option<&Path>, job: &Job) {
    if let (Some(folder), Some(file)) = (shared, job.file()) {
        let _ = fs::remove_file(folder.join(file));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The partitions of so many submissions.
    fn places(partitions: i32, count: i32) -> BTreeSet<i32> {
        (0..count)
            .map(|turn| turn * step(partitions) % partitions)
            .collect()
    }

    #[test]
    fn all_partitions_have_their_turn_and_a_few_are_spread() {
        for partitions in [1, 2, 3, 12, 64, 100, 256] {
            let all: BTreeSet<i32> = (0..partitions).collect();
            assert_eq!(places(partitions, partitions), all);
        }
        // Eight submissions for four workers.
        let few = places(64, 8);
        for worker in 0..4 {
            let consecutive = few.range(worker * 16..(worker + 1) * 16).count();
            assert!((1..=3).contains(&consecutive), "{few:?}");
            let every_fourth = few.iter().filter(|place| **place % 4 == worker).count();
            assert_eq!(every_fourth, 2, "{few:?}");
        }
    }
}
