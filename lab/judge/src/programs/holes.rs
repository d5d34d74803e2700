//! The holes of a starter, and the code that fills them in its solution.
//!
//! A hole begins with a comment `TODO(n): …` in the starter and `SOLUTION(n): …` in the solution, and ends with
//! `END(n)` in both. Outside the holes the two files are equal, line by line.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::programs::workspace;

/// The files that have holes, as paths in the workspace. Their solutions have the same paths under `solutions/`.
pub const FILES: &[&str] = &[
    "producer/src/main.rs",
    "consumer/src/main.rs",
    "consumer_group_a/src/main.rs",
    "consumer_group_a/src/member.rs",
    "consumer_group_b/src/main.rs",
    "billing/src/main.rs",
    "exactly_once/src/main.rs",
];

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Lines outside the holes.
    Common(Vec<String>),
    /// A hole: its number, and its lines without the comment that begins it and without its `END`.
    Hole(u32, Vec<String>),
}

/// Reads the starter and the solution of a file from the workspace.
///
/// # Errors
/// If one of them cannot be read, or its marks do not match.
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

/// Lines of a file: one hole with its marks, or the lines before, between or after holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The number of the hole, or `None` outside the holes.
    pub hole: Option<u32>,
    pub lines: Range<usize>,
}

/// Splits a file at its holes. Each hole begins with `mark`: `TODO` in a starter, `SOLUTION` in a solution.
///
/// # Errors
/// If the marks do not match.
pub fn stretches(text: &str, mark: &str) -> Result<Vec<Stretch>> {
    let mut stretches = Vec::new();
    let mut from = 0;
    let mut open = None;
    let mut add = |hole, lines| stretches.push(Stretch { hole, lines });
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        if let Some(hole) = marked(line, mark) {
            if let Some(open) = open {
                bail!("line {number}: hole {hole} begins before hole {open} has ended");
            }
            add(None, from..at);
            (from, open) = (at, Some(hole));
        } else if let Some(hole) = marked(line, "END") {
            if open != Some(hole) {
                bail!("line {number}: END({hole}) without a matching {mark}({hole})");
            }
            add(open, from..number);
            (from, open) = (number, None);
        }
    }
    if let Some(hole) = open {
        bail!("hole {hole} has no END({hole})");
    }
    add(None, from..text.lines().count());
    Ok(stretches)
}

/// Returns the number in a comment such as `// TODO(3): …`.
fn marked(line: &str, mark: &str) -> Option<u32> {
    let rest = line.trim_start().strip_prefix("// ")?.strip_prefix(mark)?;
    rest.strip_prefix('(')?.split_once(')')?.0.parse().ok()
}

/// Returns the source text of the starter. The holes for which `fill` returns true contain the code of the solution.
///
/// # Errors
/// If the starter or the solution cannot be read, or its marks do not match.
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
    fn splits_a_file_at_its_holes() -> Result<()> {
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
