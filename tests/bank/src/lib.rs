//! The bank of programs that a student might submit. Most of them are wrong; some are right, but written differently.

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
    /// Which program it is. `member` means both members of the group.
    pub of: String,
    /// What its author believes.
    pub belief: String,
    /// How it is written.
    #[serde(default)]
    pub style: Style,
    /// What to replace in the correct program of this style, and the replacement.
    #[serde(default)]
    change: Vec<(String, String)>,
    /// The checks that it must fail, without their prefix. `all` means all checks of the task.
    fails: Vec<String>,
}

/// The styles in which the bank has correct programs.
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

/// All programs of the bank, from `tests/misconceptions/bank.toml`.
///
/// # Errors
/// When the file cannot be read or is not a valid bank.
pub fn bank() -> Result<Vec<Entry>> {
    let path = workspace().join("tests/misconceptions/bank.toml");
    let bank: Bank = toml::from_str(&fs::read_to_string(&path)?).context("bank.toml")?;
    Ok(bank.program)
}

impl Entry {
    /// The task that it belongs to.
    pub fn task(&self) -> &'static Task {
        let program = if self.of == "member" {
            "consumer_group_a"
        } else {
            &self.of
        };
        let of_program = |task: &&Task| task.programs.contains(&program);
        TASKS.iter().find(of_program).unwrap_or(&TASKS[0])
    }

    /// The ids of the checks that it must fail, in the order of the task's table.
    ///
    /// # Errors
    /// When the task has no check with one of the names.
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
            "{}: some of the checks {:?} do not exist; correct `fails` in bank.toml",
            self.name,
            self.fails
        );
        Ok(found)
    }

    /// Builds the program and returns it as a separate submission.
    ///
    /// # Errors
    /// When a change does not apply or the result does not compile.
    pub fn build(&self) -> Result<Submission> {
        build(
            &format!("bank_{}", self.name),
            &self.of,
            self.style,
            &self.source()?,
        )
    }

    /// Must it fail a check?
    pub fn is_wrong(&self) -> bool {
        !self.fails.is_empty()
    }

    /// Is it a wrong program that was made from a solution?
    pub fn is_misconception(&self) -> bool {
        self.style == Style::Solution && self.is_wrong()
    }

    /// The file that this program changes in a student's workspace, and the text of that file.
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
                "{}: this text must occur once in {file}, but occurs {times} times:\n{from}",
                self.name
            );
            source = source.replacen(from, to, 1);
        }
        Ok(source)
    }
}

/// Builds a program, or both members of the group, from source text and under the given name.
///
/// # Errors
/// When the program does not compile.
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

/// The source text of the member with this letter.
fn member(style: Style, source: &str, letter: &str) -> String {
    match style {
        Style::Python => source.replace("NAME = 'A'", &format!("NAME = '{letter}'")),
        _ => format!("{source}\nfn main() -> Result<(), Error> {{\n    run(\"{letter}\")\n}}\n"),
    }
}
