//! The record of one run of a program. It remains when the program is gone.

use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::programs::output::{Line, Lines};

/// Something that was done to a program or happened to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    Started,
    /// Ctrl-C.
    Interrupted,
    /// `kill -9`.
    Killed,
    /// The program ended with this status. The time of this deed is when somebody noticed it.
    Ended(ExitStatus),
}

/// What was done to a program during one run, and its lines on both streams. A transcript grows while the program runs.
#[derive(Clone, Debug)]
pub struct Transcript {
    pub name: String,
    deeds: Arc<Mutex<Vec<(Instant, Deed)>>>,
    out: Lines,
    err: Lines,
}

impl Transcript {
    /// An empty transcript of the program with this name. The lines are those of its standard output and standard
    /// error.
    pub(super) fn new(name: &str, out: Lines, err: Lines) -> Self {
        Self {
            name: name.to_string(),
            deeds: Arc::default(),
            out,
            err,
        }
    }

    /// What was done to the program so far, and when.
    pub fn deeds(&self) -> Vec<(Instant, Deed)> {
        self.deeds.lock().clone()
    }

    /// The lines on standard output so far.
    pub fn out(&self) -> Vec<Line> {
        self.out.lock().clone()
    }

    /// The lines on standard error so far.
    pub fn err(&self) -> Vec<Line> {
        self.err.lock().clone()
    }

    /// Adds a deed that happens now.
    pub(super) fn note(&self, deed: Deed) {
        self.deeds.lock().push((Instant::now(), deed));
    }

    /// Adds the end of the program, unless the end is already there.
    pub(super) fn note_end(&self, status: ExitStatus) {
        let mut deeds = self.deeds.lock();
        let is_end = |(_, deed): &(Instant, Deed)| matches!(deed, Deed::Ended(_));
        if !deeds.iter().any(is_end) {
            deeds.push((Instant::now(), Deed::Ended(status)));
        }
    }
}
