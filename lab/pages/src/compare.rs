//! Starter, submission and solution of a file, aligned: hole by hole, and in each hole line by line.

use std::ops::Range;

use anyhow::Result;
use judge::holes::stretches;
use similar::{Algorithm, DiffOp, TextDiff, capture_diff_slices};

/// The three versions of a file, as far as they are there.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    /// Its path in the workspace.
    pub path: String,
    pub starter: Option<String>,
    pub submission: Option<String>,
    pub solution: Option<String>,
}

/// A part of the file: a hole, or what lies between two.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    pub hole: Option<u32>,
    pub starter: Range<usize>,
    pub submission: Range<usize>,
    pub solution: Range<usize>,
}

/// A row of a part: the number of a line in each version, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    pub starter: Option<usize>,
    pub submission: Option<usize>,
    pub solution: Option<usize>,
}

/// The parts of a file. Without a starter, or where the starter's marks do not match the solution's, it is one part.
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
    // Where a hole begins in the submission, and where it ends: what was written beside its marks belongs to it.
    let mut at = 0;
    let parts = holes.iter().enumerate().map(|(number, stretch)| {
        let end = match stretch.hole {
            Some(_) => counterpart(&changes, stretch.lines.end, true),
            None if number + 1 < holes.len() => counterpart(&changes, stretch.lines.end, false),
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

/// Where the line of a starter is in the submission. Where lines were changed there: before them, or `after`.
fn counterpart(changes: &[DiffOp], line: usize, after: bool) -> usize {
    let mut found = 0;
    for change in changes {
        let (old, new) = (change.old_range(), change.new_range());
        if old.start > line || (old.start == line && !after) {
            break;
        }
        let is_equal = matches!(change, DiffOp::Equal { .. });
        if is_equal && line <= old.end {
            found = new.start + (line - old.start);
            if line < old.end || !after {
                return found;
            }
        } else if line < old.end {
            return if after { new.end } else { new.start };
        } else {
            found = new.end;
        }
    }
    found
}

/// The rows of a part: what is equal in submission and solution, or stands for each other, stands side by side; and a line
/// of the starter beside the one it is kept as.
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

/// The stretches in bytes that differ between two lines, in each of them.
pub fn differences(one: &str, other: &str) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
    let diff = TextDiff::from_unicode_words(one, other);
    // Lines that have little in common are other lines, and not the same one changed.
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

/// All of a line, if there is anything in it.
pub fn whole(line: &str) -> Vec<Range<usize>> {
    let all = (!line.is_empty()).then_some(0..line.len());
    all.into_iter().collect()
}

/// The lines of a version.
pub fn lines(text: Option<&str>) -> Vec<&str> {
    text.unwrap_or_default().lines().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTER: &str = "a\nb\n// TODO(1): x\nold\n// END(1)\nc\nd\n";
    /// The mark in two pieces: no file that is handed out may look like a solution.
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
    fn what_was_changed_elsewhere_stays_there() {
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
    fn marks_the_words_that_differ() {
        let (one, other) = differences("a.set(\"x\", 1)", "a.set(\"y\", 1)");
        assert!(one.into_iter().chain(other).all(|range| range == (7..8)));
    }
}
