//! The holes of a starter, and what fills them in its solution.
//!
//! A hole begins with a comment `TODO(n): …` in the starter and `SOLUTION(n): …` in the solution, and ends with
//! `END(n)` in both. Outside the holes the two files are equal, line by line.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::programs::workspace;

/// The files that have holes, by their path in the workspace; their solutions lie at the same path under `solutions/`.
pub const FILES: &[&str] = &[
    "producer/src/main.rs",
    "consumer/src/main.rs",
    "consumer_group_a/src/main.rs",
    "consumer_group_a/src/member.rs",
    "consumer_group_b/src/main.rs",
    "billing/src/main.rs",
    "exactly_once/src/main.rs",
];

/// A stretch of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Lines outside of holes.
    Common(Vec<String>),
    /// A hole's number and its lines, its first comment and its `END` left out.
    Hole(u32, Vec<String>),
}

/// The starter and the solution of a file, read from the workspace.
///
/// # Errors
/// When one of them cannot be read, or its marks do not match.
pub fn pair(file: &str) -> Result<(Vec<Part>, Vec<Part>)> {
    Ok((
        read(&workspace().join(file), "TODO")?,
        read(&workspace().join("solutions").join(file), "SOLUTION")?,
    ))
}

fn read(path: &Path, mark: &str) -> Result<Vec<Part>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    parse(&text, mark).with_context(|| path.display().to_string())
}

fn parse(text: &str, mark: &str) -> Result<Vec<Part>> {
    let lines: Vec<&str> = text.lines().collect();
    let owned = |lines: &[&str]| lines.iter().map(ToString::to_string).collect();
    let parts = stretches(text, mark)?.into_iter().map(|stretch| {
        let lines = &lines[stretch.lines];
        let Some(hole) = stretch.hole else {
            return Part::Common(owned(lines));
        };
        let inner = &lines[1..lines.len() - 1];
        let is_comment = |line: &&&str| line.trim_start().starts_with("//");
        let comment = inner.iter().take_while(is_comment).count();
        Part::Hole(hole, owned(&inner[comment..]))
    });
    Ok(parts.collect())
}

/// Lines of a file that lie in one hole, with its marks, or between two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub hole: Option<u32>,
    pub lines: Range<usize>,
}

/// Parts a file at its holes, which begin with this mark: `TODO` in a starter, `SOLUTION` in a solution.
///
/// # Errors
/// When its marks do not match.
pub fn stretches(text: &str, mark: &str) -> Result<Vec<Stretch>> {
    let mut stretches = Vec::new();
    let mut from = 0;
    let mut open = None;
    let mut add = |hole, lines| stretches.push(Stretch { hole, lines });
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        if let Some(hole) = marked(line, mark) {
            if open.is_some() {
                bail!("line {number}: a hole within a hole");
            }
            add(None, from..at);
            (from, open) = (at, Some(hole));
        } else if let Some(hole) = marked(line, "END") {
            if open != Some(hole) {
                bail!("line {number}: END({hole}) closes no hole");
            }
            add(open, from..number);
            (from, open) = (number, None);
        }
    }
    if let Some(hole) = open {
        bail!("hole {hole} is not closed");
    }
    add(None, from..text.lines().count());
    Ok(stretches)
}

/// The number in a comment such as `// TODO(3): …`.
fn marked(line: &str, mark: &str) -> Option<u32> {
    let rest = line.trim_start().strip_prefix("// ")?.strip_prefix(mark)?;
    rest.strip_prefix('(')?.split_once(')')?.0.parse().ok()
}

/// The starter with some holes filled from the solution, as source text.
///
/// # Errors
/// When the files cannot be read.
pub fn filled(file: &str, fill: impl Fn(u32) -> bool) -> Result<String> {
    let (starter, solution) = pair(file)?;
    let mut text = String::new();
    for (from_starter, from_solution) in starter.iter().zip(&solution) {
        let (Part::Common(lines) | Part::Hole(_, lines)) = match from_starter {
            Part::Hole(hole, _) if fill(*hole) => from_solution,
            _ => from_starter,
        };
        for line in lines {
            text += line;
            text.push('\n');
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_a_file_at_its_holes() -> Result<()> {
        let text = "a\n  // TODO(2): what\n  // is wanted\n  old\n  // END(2)\nb\n";
        let parts = parse(text, "TODO")?;
        let strings = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            parts,
            [
                Part::Common(strings(&["a"])),
                Part::Hole(2, strings(&["  old"])),
                Part::Common(strings(&["b"])),
            ]
        );
        Ok(())
    }

    #[test]
    fn refuses_marks_that_do_not_match() {
        assert!(parse("// TODO(1): a\n// TODO(2): b\n", "TODO").is_err());
        assert!(parse("// END(1)\n", "TODO").is_err());
        assert!(parse("// TODO(1): a\n", "TODO").is_err());
    }
}
