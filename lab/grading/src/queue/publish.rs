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
    /// Each submission goes to the next partition. Keys would spread them less evenly, and nobody needs their order.
    next: i32,
    partitions: i32,
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
        self.next = (self.next + 1) % self.partitions;
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
