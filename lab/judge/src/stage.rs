//! Where a task takes place.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use std::time::Instant;

use anyhow::{Context, Result};
use broker::Request;
use common::{CLICKSTREAM, GROUPS};

use crate::history::{History, Moment};
use crate::programs::run::BOOTSTRAP_SERVERS;
use crate::{Program, random_events};
use cluster::{GroupTable, Kafka};

/// A cluster, the programs to run on it, and what was found out so far.
pub struct Stage {
    pub kafka: Kafka,
    programs: BTreeMap<String, PathBuf>,
    starters: BTreeMap<String, PathBuf>,
    narrator: Box<dyn FnMut(&str) + Send>,
    findings: Vec<Finding>,
    history: History,
}

/// What should be so, and what was seen.
#[derive(Clone, Debug)]
pub struct Finding {
    pub task: u32,
    /// What the slides say.
    pub claim: String,
    pub seen: String,
    pub holds: bool,
}

impl Stage {
    /// A stage on this cluster with these programs. The narrator is told what happens, a few lines at a time.
    pub fn new(
        kafka: Kafka,
        programs: BTreeMap<String, PathBuf>,
        narrator: impl FnMut(&str) + Send + 'static,
    ) -> Self {
        Self {
            kafka,
            programs,
            starters: BTreeMap::new(),
            narrator: Box::new(narrator),
            findings: Vec::new(),
            history: History::default(),
        }
    }

    /// The same stage with these starters, for tasks that show the wrong way as well.
    #[must_use]
    pub fn with_starters(mut self, starters: BTreeMap<String, PathBuf>) -> Self {
        self.starters = starters;
        self
    }

    /// Starts a program as the starter has it.
    ///
    /// # Errors
    /// When it was not built, or cannot be started.
    pub fn start_starter(&self, program: &str) -> Result<Program> {
        self.start_as(program, &mut Command::new(self.starter(program)?))
    }

    /// Where the starter of a program lies.
    ///
    /// # Errors
    /// When it was not built.
    pub fn starter(&self, program: &str) -> Result<&PathBuf> {
        let starter = self.starters.get(program);
        starter.with_context(|| format!("the starter of {program} was not built"))
    }

    /// Starts a program.
    ///
    /// # Errors
    /// When it was not built, or cannot be started.
    pub fn start(&self, program: &str) -> Result<Program> {
        self.start_as(program, &mut Command::new(self.path(program)?))
    }

    /// Starts any command against the cluster, as a program of this name.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_as(&self, name: &str, command: &mut Command) -> Result<Program> {
        self.started(Program::run(
            name,
            command.env(BOOTSTRAP_SERVERS, self.kafka.bootstrap()),
        ))
    }

    /// Starts a program that blocks in its first print: in the middle of processing.
    ///
    /// # Errors
    /// As [`Stage::start`].
    pub fn start_stalled(&self, program: &str) -> Result<Program> {
        self.start_stalled_as(program, &mut Command::new(self.path(program)?))
    }

    /// As [`Stage::start_as`], for one that blocks in its first print.
    ///
    /// # Errors
    /// As there.
    pub fn start_stalled_as(&self, name: &str, command: &mut Command) -> Result<Program> {
        self.started(Program::run_stalled(
            name,
            command.env(BOOTSTRAP_SERVERS, self.kafka.bootstrap()),
        ))
    }

    fn started(&self, program: Result<Program>) -> Result<Program> {
        let program = program?;
        self.history.add(program.transcript());
        Ok(program)
    }

    /// Where a program of the stage lies.
    ///
    /// # Errors
    /// When it was not built.
    pub fn path(&self, program: &str) -> Result<&PathBuf> {
        self.programs
            .get(program)
            .with_context(|| format!("{program} was not built"))
    }

    /// Tells what happens, and keeps it for whoever reads the record.
    pub fn say(&mut self, text: impl AsRef<str>) {
        self.history.note(text.as_ref());
        self.tell(text);
    }

    /// Tells it only now.
    pub fn tell(&mut self, text: impl AsRef<str>) {
        (self.narrator)(text.as_ref());
    }

    /// What has happened since, with these requests from the broker's log.
    pub fn seen(&self, since: Instant, requests: &[Request]) -> Vec<Moment> {
        self.history.between(requests, &[(since, Instant::now())])
    }

    /// Shows lines that a program printed: the first and the last few, and how many are left out.
    pub fn show(&mut self, program: &str, lines: &[String], first: usize, last: usize) {
        let skipped = lines.len().saturating_sub(first + last);
        for (at, line) in lines.iter().enumerate() {
            if skipped > 0 && at == first {
                self.tell(format!("  {program} | … {skipped} more"));
            }
            if skipped == 0 || at < first || at >= lines.len() - last {
                self.tell(format!("  {program} | {line}"));
            }
        }
    }

    /// Shows the group at this moment.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn show_group(&mut self, group: &str) -> Result<()> {
        let known = GROUPS.iter().find(|(name, _)| *name == group);
        let (_, topic) = known.with_context(|| format!("{group} is no group of the lab"))?;
        let table = GroupTable::read(&self.kafka, group, topic)?;
        self.tell(table.to_string());
        Ok(())
    }

    /// Notes whether what the slides say was seen.
    pub fn find(&mut self, task: u32, claim: &str, holds: bool, seen: impl Into<String>) {
        self.findings.push(Finding {
            task,
            claim: claim.to_string(),
            seen: seen.into(),
            holds,
        });
    }

    /// All findings so far.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Publishes this many random events.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub fn publish(&mut self, count: u64) -> Result<()> {
        let before: i64 = self.kafka.ends(CLICKSTREAM)?.iter().sum();
        let events = random_events(before.try_into()?, count);
        self.kafka.publish(CLICKSTREAM, &events)
    }

    /// Sees to it that the topic holds at least this many events.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub fn need_events(&mut self, count: u64) -> Result<()> {
        let there: i64 = self.kafka.ends(CLICKSTREAM)?.iter().sum();
        let missing = count.saturating_sub(there.try_into()?);
        if missing > 0 {
            self.publish(missing)?;
            self.say(format!(
                "Published {missing} events to {CLICKSTREAM}, to have something to read."
            ));
        }
        Ok(())
    }
}
