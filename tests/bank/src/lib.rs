//! The bank of programs that a student might hand in: most of them wrong, some right in another way.

pub mod python;
mod variant;

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use judge::programs::workspace;
use judge::{Submission, TASKS, Task};
use serde::Deserialize;

/// One program of the bank.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    pub name: String,
    /// The program that it is; `member` is both members of the group.
    pub of: String,
    /// What its author believes.
    pub belief: String,
    /// What it is written in.
    #[serde(default)]
    pub style: Style,
    /// What to replace in the right program of this style, and by what.
    #[serde(default)]
    change: Vec<(String, String)>,
    /// The checks it must fail, without their prefix; `all` are all.
    fails: Vec<String>,
}

/// The styles of which the bank has a right program of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// The solutions.
    #[default]
    Solution,
    /// Rust with futures and streams.
    Asynchronous,
    /// The slides' programs.
    Python,
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
    /// The task it belongs to.
    pub fn task(&self) -> &'static Task {
        let program = if self.of == "member" {
            "consumer_group_a"
        } else {
            &self.of
        };
        let of_program = |task: &&Task| task.programs.contains(&program);
        TASKS.iter().find(of_program).unwrap_or(&TASKS[0])
    }

    /// The ids of the checks it must fail, in the order of the table.
    ///
    /// # Errors
    /// When there is no check of that name.
    pub fn must_fail(&self) -> Result<Vec<&'static str>> {
        let ids = self.task().checks.iter().map(|check| check.id);
        if self.fails == ["all"] {
            return Ok(ids.collect());
        }
        let named = |id: &str| {
            id.split_once('.')
                .is_some_and(|(_, name)| self.fails.iter().any(|fail| fail == name))
        };
        let found: Vec<_> = ids.filter(|id| named(id)).collect();
        ensure!(
            found.len() == self.fails.len(),
            "{}: there are no such checks among {:?}",
            self.name,
            self.fails
        );
        Ok(found)
    }

    /// Builds it; returns it as a submission of its own.
    ///
    /// # Errors
    /// When a change does not apply, or the result does not compile.
    pub fn build(&self) -> Result<Submission> {
        build(
            &format!("bank_{}", self.name),
            &self.of,
            self.style,
            &self.source()?,
        )
    }

    /// Is it wrong, and a change of a solution?
    pub fn is_misconception(&self) -> bool {
        self.style == Style::Solution && !self.fails.is_empty()
    }

    /// The file of a student's workspace that it changes, and its text.
    ///
    /// # Errors
    /// When a change does not apply.
    pub fn file(&self) -> Result<(String, String)> {
        let path = match self.of.as_str() {
            "member" => "consumer_group_a/src/member.rs".to_string(),
            program => format!("{program}/src/main.rs"),
        };
        Ok((path, self.source()?))
    }

    fn source(&self) -> Result<String> {
        let of = &self.of;
        let file = match (self.style, of.as_str()) {
            (Style::Python, _) => format!("tests/misconceptions/python/{of}.py"),
            (Style::Asynchronous, _) => format!("tests/misconceptions/asynchronous/{of}.rs"),
            (Style::Solution, "member") => "solutions/consumer_group_a/src/member.rs".to_string(),
            (Style::Solution, "consumer_crash") => "consumer_crash/src/main.rs".to_string(),
            (Style::Solution, _) => format!("solutions/{of}/src/main.rs"),
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

/// Builds the source text of a program, or of both members of the group, under a name of its own.
///
/// # Errors
/// When it does not compile.
pub fn build(name: &str, of: &str, style: Style, source: &str) -> Result<Submission> {
    let mut programs = BTreeMap::new();
    let mut add = |program: &str, source: &str| -> Result<()> {
        let name = format!("{name}_{program}");
        let built = match style {
            Style::Python => variant::script(&name, source)?,
            Style::Asynchronous => variant::build_asynchronous(&name, source)?,
            Style::Solution => variant::build(&name, source)?,
        };
        programs.insert(program.to_string(), built);
        Ok(())
    };
    if of == "member" {
        add("consumer_group_a", &member(style, source, "A"))?;
        add("consumer_group_b", &member(style, source, "B"))?;
    } else {
        add(of, source)?;
    }
    let submission = Submission::of(programs);
    Ok(match style {
        Style::Python => submission.with_python(python::interpreter()?),
        _ => submission,
    })
}

/// The member of this name.
fn member(style: Style, source: &str, letter: &str) -> String {
    match style {
        Style::Python => source.replace("NAME = 'A'", &format!("NAME = '{letter}'")),
        _ => format!("{source}\nfn main() -> Result<(), Error> {{\n    run(\"{letter}\")\n}}\n"),
    }
}
