//! Where a demo of a task runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use broker::Request;
use common::{CLICKSTREAM, GROUPS};

use crate::history::logged::Logged;
use crate::history::{History, Moment};
use crate::programs::run::BOOTSTRAP_SERVERS;
use crate::{Program, random_events};
use cluster::{GroupTable, Kafka};

/// A cluster, the programs to run on it, and the findings so far.
pub struct Stage {
    pub kafka: Kafka,
    programs: BTreeMap<String, PathBuf>,
    starters: BTreeMap<String, PathBuf>,
    narrator: Box<dyn FnMut(&str) + Send>,
    findings: Vec<Finding>,
    history: History,
}

/// A claim of the slides, and what was seen of it.
#[derive(Clone, Debug)]
pub struct Finding {
    pub task: u32,
    /// What the slides say about this.
    pub claim: String,
    pub seen: String,
    pub holds: bool,
}

impl Stage {
    /// A stage on this cluster with these programs. The narrator gets the story, a few lines at a time.
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

    /// The same stage with these starters, for demos that also show the wrong way.
    #[must_use]
    pub fn with_starters(mut self, starters: BTreeMap<String, PathBuf>) -> Self {
        self.starters = starters;
        self
    }

    /// Starts the starter of a program.
    ///
    /// # Errors
    /// When it was not built, or cannot be started.
    pub fn start_starter(&self, program: &str) -> Result<Program> {
        self.start_as(program, &mut Command::new(self.starter(program)?))
    }

    /// The path of a program's starter.
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

    /// Starts a command as a program with this name. It uses the stage's cluster.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_as(&self, name: &str, command: &mut Command) -> Result<Program> {
        self.started(Program::run(
            name,
            command.env(BOOTSTRAP_SERVERS, self.kafka.bootstrap()),
        ))
    }

    /// Starts a program that blocks in its first print, in the middle of processing.
    ///
    /// # Errors
    /// When it was not built, or cannot be started.
    pub fn start_stalled(&self, program: &str) -> Result<Program> {
        self.start_stalled_as(program, &mut Command::new(self.path(program)?))
    }

    /// Like [`Stage::start_as`], but the program blocks in its first print.
    ///
    /// # Errors
    /// When it cannot be started.
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

    /// The path of a program of the stage.
    ///
    /// # Errors
    /// When it was not built.
    pub fn path(&self, program: &str) -> Result<&PathBuf> {
        self.programs
            .get(program)
            .with_context(|| format!("{program} was not built"))
    }

    /// Says what happens, and notes it in the history.
    pub fn say(&mut self, text: impl AsRef<str>) {
        self.history.note(text.as_ref());
        self.narrate(text);
    }

    /// Says something, but does not note it in the history.
    pub fn narrate(&mut self, text: impl AsRef<str>) {
        (self.narrator)(text.as_ref());
    }

    /// What happened since then, with these requests from the broker's log.
    pub fn seen(&self, since: Instant, requests: &[Request]) -> Vec<Moment> {
        let requests: Vec<Logged> = requests.iter().map(Logged::from).collect();
        self.history.between(&requests, &[(since, Instant::now())])
    }

    /// Shows lines that a program printed: the first few, how many lines are skipped, and the last few.
    pub fn show(&mut self, program: &str, lines: &[String], first: usize, last: usize) {
        let skipped = lines.len().saturating_sub(first + last);
        for (at, line) in lines.iter().enumerate() {
            if skipped > 0 && at == first {
                self.narrate(format!("  {program} | … {skipped} more"));
            }
            if skipped == 0 || at < first || at >= lines.len() - last {
                self.narrate(format!("  {program} | {line}"));
            }
        }
    }

    /// Shows who owns the group's partitions now, with offsets and lag.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn show_group(&mut self, group: &str) -> Result<()> {
        let known = GROUPS.iter().find(|(name, _)| *name == group);
        let (_, topic) = known.with_context(|| format!("{group} is not a group of the lab"))?;
        let table = GroupTable::read(&self.kafka, group, topic)?;
        self.narrate(table.to_string());
        Ok(())
    }

    /// Adds a finding: a claim of the slides, whether it holds, and what was seen.
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

    /// Publishes this many random events to `clickstream`.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub fn publish(&mut self, count: u64) -> Result<()> {
        let before: i64 = self.kafka.ends(CLICKSTREAM)?.iter().sum();
        let events = random_events(before.try_into()?, count);
        self.kafka.publish(CLICKSTREAM, &events)
    }

    /// Publishes events to `clickstream` until it contains at least this many.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub fn need_events(&mut self, count: u64) -> Result<()> {
        let there: i64 = self.kafka.ends(CLICKSTREAM)?.iter().sum();
        let missing = count.saturating_sub(there.try_into()?);
        if missing > 0 {
            self.publish(missing)?;
            self.say(format!(
                "Published {missing} events to {CLICKSTREAM}, so that the programs have something to read."
            ));
        }
        Ok(())
    }
}
