//! The starter, the submission and the solution of a file, aligned: hole by hole, and line by line within each hole.

use std::ops::Range;

use anyhow::Result;
use judge::holes::stretches;
use similar::{Algorithm, DiffOp, TextDiff, capture_diff_slices};

/// The three versions of a file. A version is `None` if it has no such file.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    /// The path in the workspace.
    pub path: String,
    pub starter: Option<String>,
    pub submission: Option<String>,
    pub solution: Option<String>,
}

/// A part of a file: a hole, or the lines between two holes. The ranges are line numbers from 0.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    pub hole: Option<u32>,
    pub starter: Range<usize>,
    pub submission: Range<usize>,
    pub solution: Range<usize>,
}

/// A row of a part: the line of each version in this row, as its number from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    pub starter: Option<usize>,
    pub submission: Option<usize>,
    pub solution: Option<usize>,
}

/// The parts of a file. It is a single part if there is no starter, or if the holes of starter and solution do not match.
pub fn parts(file: &Versions) -> Vec<Part> {
    marked_parts(file).unwrap_or_default().unwrap_or_else(|| {
        let all = |text: &Option<String>| 0..lines(text.as_deref()).len();
        vec![Part {
            hole: None,
            starter: all(&file.starter),
            submission: all(&file.submission),
            solution: all(&file.solution),
        }]
    })
}

fn marked_parts(file: &Versions) -> Result<Option<Vec<Part>>> {
    let Some(starter) = &file.starter else {
        return Ok(None);
    };
    let holes = stretches(starter, "TODO")?;
    let solution = match &file.solution {
        Some(solution) => stretches(solution, "SOLUTION")?,
        None => Vec::new(),
    };
    let same_holes = solution
        .iter()
        .map(|stretch| stretch.hole)
        .eq(holes.iter().map(|stretch| stretch.hole));
    if !solution.is_empty() && !same_holes {
        return Ok(None);
    }
    let (old, new) = (lines(Some(starter)), lines(file.submission.as_deref()));
    let changes = capture_diff_slices(Algorithm::Patience, &old, &new);
    let mut at = 0;
    let parts = holes.iter().enumerate().map(|(number, stretch)| {
        let end = match stretch.hole {
            Some(_) => end_of_hole(&changes, stretch.lines.end),
            None if number + 1 < holes.len() => beginning_of_hole(&changes, stretch.lines.end),
            None => new.len(),
        };
        let from = at;
        at = end.max(from);
        Part {
            hole: stretch.hole,
            starter: stretch.lines.clone(),
            submission: from..at,
            solution: solution
                .get(number)
                .map_or(0..0, |stretch| stretch.lines.clone()),
        }
    });
    Ok(Some(parts.collect()))
}

/// Where a hole begins in the submission, as a line number from 0. `line` is where it begins in the starter.
///
/// The starter is compared with the submission. What was written directly before or after a hole belongs to the hole:
///
/// ```text
///     starter          submission
///     a                a
///     b                b
///                      written before    ← beginning_of_hole
///     // TODO(1): x    // TODO(1): x     ← `line`
///     old              mine
///     // END(1)        // END(1)
///                      written after
///     c                c                 ← `line` of the end, and end_of_hole
/// ```
fn beginning_of_hole(changes: &[DiffOp], line: usize) -> usize {
    let before = |change: &&DiffOp| change.old_range().start < line;
    match changes.iter().take_while(before).last() {
        None => 0,
        Some(DiffOp::Equal {
            old_index,
            new_index,
            ..
        }) => new_index + (line - old_index),
        // The hole begins within lines that were replaced.
        Some(change) if line < change.old_range().end => change.new_range().start,
        Some(change) => change.new_range().end,
    }
}

/// Where a hole ends in the submission, exclusively; see the picture at [`beginning_of_hole`]. `line` is where it ends in the
/// starter, also exclusively.
fn end_of_hole(changes: &[DiffOp], line: usize) -> usize {
    let up_to = |change: &&DiffOp| change.old_range().start <= line;
    match changes.iter().take_while(up_to).last() {
        None => 0,
        Some(DiffOp::Equal {
            old_index,
            new_index,
            ..
        }) => new_index + (line - old_index),
        Some(change) => change.new_range().end,
    }
}

/// Is the code of this part the same in the submission and in the solution? Comments and spaces do not count.
pub fn is_as_in_solution(file: &Versions, part: &Part) -> bool {
    let code = |text: &Option<String>, range: &Range<usize>| -> String {
        let lines = lines(text.as_deref());
        let lines = lines[range.clone()].iter();
        let code = lines.filter(|line| !line.trim_start().starts_with("//"));
        code.flat_map(|line| line.split_whitespace()).collect()
    };
    code(&file.submission, &part.submission) == code(&file.solution, &part.solution)
}

/// The rows of a part. Lines of the submission and the solution that are equal, or that replace each other, are in the same row.
/// A line of the starter that the submission kept is in the row of that line.
pub fn rows(file: &Versions, part: &Part) -> Vec<Row> {
    let (starter, submission, solution) = (
        lines(file.starter.as_deref()),
        lines(file.submission.as_deref()),
        lines(file.solution.as_deref()),
    );
    let mut rows = pairs(
        &submission[part.submission.clone()],
        &solution[part.solution.clone()],
        &part.submission,
        &part.solution,
    );
    let kept = capture_diff_slices(
        Algorithm::Patience,
        &starter[part.starter.clone()],
        &submission[part.submission.clone()],
    );
    let mut next = 0;
    for change in kept {
        let is_equal = matches!(change, DiffOp::Equal { .. });
        for (number, line) in change.old_range().enumerate() {
            let line = Some(part.starter.start + line);
            let beside = part.submission.start + change.new_range().start + number;
            let place = |row: &Row| row.submission == Some(beside);
            if is_equal && let Some(place) = rows.iter().position(place) {
                rows[place].starter = line;
                next = place + 1;
                continue;
            }
            let is_free = |row: &Row| {
                row.submission
                    .is_none_or(|line| line < part.submission.start + change.new_range().end)
            };
            match rows.get_mut(next).filter(|row| is_free(row)) {
                Some(row) => row.starter = line,
                None => rows.insert(
                    next,
                    Row {
                        starter: line,
                        ..Row::default()
                    },
                ),
            }
            next += 1;
        }
    }
    rows
}

/// The rows of submission and solution, still without the starter.
fn pairs(
    submission: &[&str],
    solution: &[&str],
    in_submission: &Range<usize>,
    in_solution: &Range<usize>,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for change in capture_diff_slices(Algorithm::Patience, submission, solution) {
        let (old, new) = (change.old_range(), change.new_range());
        for at in 0..old.len().max(new.len()) {
            let line =
                |range: &Range<usize>, start| (at < range.len()).then(|| start + range.start + at);
            rows.push(Row {
                starter: None,
                submission: line(&old, in_submission.start),
                solution: line(&new, in_solution.start),
            });
        }
    }
    rows
}

/// The parts that differ between two lines, in bytes: those of the one line, and those of the other.
pub fn differences(one: &str, other: &str) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
    let diff = TextDiff::from_unicode_words(one, other);
    // Lines that have less in common than this are different lines, and not two versions of the same line.
    const ALIKE: f32 = 0.4;
    if diff.ratio() < ALIKE {
        return (whole(one), whole(other));
    }
    let (mut in_one, mut in_other) = (Vec::new(), Vec::new());
    let (mut at, mut at_other) = (0, 0);
    for change in diff.iter_all_changes() {
        let length = change.value().len();
        match change.tag() {
            similar::ChangeTag::Equal => {
                at += length;
                at_other += length;
            }
            similar::ChangeTag::Delete => {
                in_one.push(at..at + length);
                at += length;
            }
            similar::ChangeTag::Insert => {
                in_other.push(at_other..at_other + length);
                at_other += length;
            }
        }
    }
    (in_one, in_other)
}

/// All of a line, as its only part; no part if the line is empty.
pub fn whole(line: &str) -> Vec<Range<usize>> {
    let all = (!line.is_empty()).then_some(0..line.len());
    all.into_iter().collect()
}

/// The lines of a version; none if the version has no such file.
pub fn lines(text: Option<&str>) -> Vec<&str> {
    text.unwrap_or_default().lines().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTER: &str = "a\nb\n// TODO(1): x\nold\n// END(1)\nc\nd\n";
    /// The mark is written in two pieces, because no file that students get may look like a solution.
    const SOLUTION: &str = concat!("a\nb\n// SOLUTION", "(1): x\nnew\nmore\n// END(1)\nc\nd\n");

    fn file(submission: &str) -> Versions {
        Versions {
            path: "a.rs".to_string(),
            starter: Some(STARTER.to_string()),
            submission: Some(submission.to_string()),
            solution: Some(SOLUTION.to_string()),
        }
    }

    fn hole_of(submission: &str) -> Vec<&str> {
        let parts = parts(&file(submission));
        assert_eq!(parts.len(), 3);
        lines(Some(submission))[parts[1].submission.clone()].to_vec()
    }

    #[test]
    fn finds_the_hole_by_its_marks() {
        let written = "a\nb\n// TODO(1): x\nmine\n// END(1)\nc\nd\n";
        assert_eq!(hole_of(written), ["// TODO(1): x", "mine", "// END(1)"]);
    }

    #[test]
    fn finds_the_hole_without_its_marks() {
        assert_eq!(
            hole_of("a\nb\nmine\nmine too\nc\nd\n"),
            ["mine", "mine too"]
        );
        assert_eq!(hole_of("a\nb\nc\nd\n"), Vec::<&str>::new());
        assert_eq!(hole_of(""), Vec::<&str>::new());
    }

    #[test]
    fn a_change_elsewhere_does_not_belong_to_the_hole() {
        let parts = parts(&file("A\nb\n// TODO(1): x\nold\n// END(1)\nc\nd\ne\n"));
        assert_eq!(parts[0].submission, 0..2);
        assert_eq!(parts[2].submission, 5..8);
    }

    #[test]
    fn equal_lines_stand_side_by_side() {
        let file = file("a\nb\n// TODO(1): x\nold\nmore\n// END(1)\nc\nd\n");
        let rows = rows(&file, &parts(&file)[1]);
        assert!(rows.contains(&Row {
            starter: None,
            submission: Some(4),
            solution: Some(4)
        }));
        assert!(
            rows.iter()
                .any(|row| row.starter == Some(3) && row.submission == Some(3))
        );
        let starters: Vec<usize> = rows.iter().filter_map(|row| row.starter).collect();
        assert_eq!(starters, [2, 3, 4]);
    }

    #[test]
    fn comments_and_spaces_make_no_hole_differ() {
        let same = |hole: &str| {
            let file = file(&format!("a\nb\n// TODO(1): x\n{hole}\n// END(1)\nc\nd\n"));
            is_as_in_solution(&file, &parts(&file)[1])
        };
        assert!(same("// my own words\n  new  \n\nmore"));
        assert!(!same("new"));
        assert!(!same("old"));
    }

    #[test]
    fn marks_the_words_that_differ() {
        let (one, other) = differences("a.set(\"x\", 1)", "a.set(\"y\", 1)");
        assert!(one.into_iter().chain(other).all(|range| range == (7..8)));
    }
}
