//! The bank of programs that a student might hand in: most of them wrong, some right in another way.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::programs::workspace;
use crate::{Submission, all_checks, variant};

/// One program of the bank.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    pub name: String,
    /// The program that is changed; `member` is both members of the group.
    pub of: String,
    /// What its author believes.
    pub belief: String,
    /// What to replace in the solution, and by what.
    change: Vec<(String, String)>,
    /// The checks it must fail, without their prefix.
    fails: Vec<String>,
}

#[derive(Deserialize)]
struct Bank {
    program: Vec<Entry>,
}

/// All of them, from `tests/misconceptions/bank.toml`.
///
/// # Errors
/// When the file is not as it should be.
pub fn bank() -> Result<Vec<Entry>> {
    let path = workspace().join("tests/misconceptions/bank.toml");
    let bank: Bank = toml::from_str(&fs::read_to_string(&path)?).context("bank.toml")?;
    Ok(bank.program)
}

impl Entry {
    fn prefix(&self) -> &'static str {
        match self.of.as_str() {
            "producer" => "producer.",
            "consumer" => "consumer.",
            "member" => "scaling.",
            _ => "crash.",
        }
    }

    /// The task it belongs to.
    pub fn task(&self) -> u32 {
        let first = all_checks().find(|check| check.id.starts_with(self.prefix()));
        first.map_or(0, |check| check.task)
    }

    /// The ids of the checks it must fail, in the order of the table.
    ///
    /// # Errors
    /// When there is no check of that name.
    pub fn must_fail(&self) -> Result<Vec<&'static str>> {
        let ids: Vec<String> = self
            .fails
            .iter()
            .map(|name| format!("{}{name}", self.prefix()))
            .collect();
        let found: Vec<_> = all_checks()
            .map(|check| check.id)
            .filter(|id| ids.contains(&(*id).to_string()))
            .collect();
        ensure!(
            found.len() == ids.len(),
            "{}: no such checks among {ids:?}",
            self.name
        );
        Ok(found)
    }

    /// Builds it; returns it as a submission of its own.
    ///
    /// # Errors
    /// When a change does not apply, or the result does not compile.
    pub fn build(&self) -> Result<Submission> {
        let source = self.source()?;
        let mut programs = BTreeMap::new();
        let mut add = |program: &str, executable: &str, source: &str| -> Result<()> {
            let path: PathBuf = variant::build(executable, source)?;
            programs.insert(program.to_string(), path);
            Ok(())
        };
        if self.of == "member" {
            for (program, letter) in [("consumer_group_a", 'A'), ("consumer_group_b", 'B')] {
                let main = format!(
                    "{source}\nfn main() -> Result<(), Error> {{\n    run(\"{letter}\")\n}}\n"
                );
                add(
                    program,
                    &format!("bank_{}_{}", self.name, letter.to_ascii_lowercase()),
                    &main,
                )?;
            }
        } else {
            add(&self.of, &format!("bank_{}", self.name), &source)?;
        }
        Ok(Submission::of(programs))
    }

    fn source(&self) -> Result<String> {
        let file = match self.of.as_str() {
            "member" => "solutions/consumer_group_a/src/member.rs".to_string(),
            "consumer_crash" => "consumer_crash/src/main.rs".to_string(),
            program => format!("solutions/{program}/src/main.rs"),
        };
        let mut source = fs::read_to_string(workspace().join(&file))?;
        for (from, to) in &self.change {
            let times = source.matches(from.as_str()).count();
            ensure!(
                times == 1,
                "{}: {times} times in {file}:\n{from}",
                self.name
            );
            source = source.replacen(from, to, 1);
        }
        Ok(source)
    }
}
