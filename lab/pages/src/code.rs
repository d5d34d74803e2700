//! The three versions of a source file, side by side.

use std::ops::Range;

use maud::{Markup, html};

use crate::compare::{
    Part, Row, Versions, differences, is_as_in_solution, lines, parts, rows, whole,
};
use crate::highlight::{Span, highlighted};

/// One version of a file: its lines, and the colored parts of each line.
struct Version<'a> {
    name: &'static str,
    lines: Vec<&'a str>,
    spans: Vec<Vec<Span>>,
}

impl<'a> Version<'a> {
    fn new(name: &'static str, text: Option<&'a str>, extension: &str) -> Option<Self> {
        let text = text?;
        Some(Self {
            name,
            lines: lines(Some(text)),
            spans: highlighted(text, extension),
        })
    }

    fn line(&self, number: Option<usize>) -> Option<(&'a str, &[Span])> {
        let number = number?;
        Some((self.lines.get(number)?, self.spans.get(number)?))
    }
}

/// A file with its holes. The lines between two holes are folded away if they are the same as in the starter.
pub fn code(file: &Versions) -> Markup {
    let extension = file.path.rsplit('.').next().unwrap_or_default();
    let starter = Version::new("starter", file.starter.as_deref(), extension);
    let submission = Version::new("submission", file.submission.as_deref(), extension);
    let solution = Version::new("solution", file.solution.as_deref(), extension);
    html! {
        section.file {
            h3 { code { (file.path) } }
            @if submission.is_none() { p { "This file was not submitted." } }
            @for part in parts(file) {
                @let versions = [&starter, &submission, &solution];
                @if let Some(hole) = part.hole {
                    @if is_as_in_solution(file, &part) {
                        details.kept {
                            summary { "Hole " (hole) ", as in the solution" }
                            (panes(file, &part, &versions.map(Option::as_ref)))
                        }
                    } @else {
                        h4 id=(id(file, &part)) { "Hole " (hole) }
                        (panes(file, &part, &versions.map(Option::as_ref)))
                    }
                } @else if is_kept(file, &part) {
                    @if !part.starter.is_empty() {
                        details.kept {
                            summary { (part.starter.len()) @if part.starter.len() == 1 { " line" } @else { " lines" } " as in the starter" }
                            (panes(file, &part, &[None, submission.as_ref(), None]))
                        }
                    }
                } @else {
                    h4 id=(id(file, &part)) { @if file.starter.is_some() { "Changed outside the holes" } @else { "Not in the starter" } }
                    (panes(file, &part, &[starter.as_ref(), submission.as_ref(), None]))
                }
            }
        }
    }
}

/// A list item with a link to each part of a submitted file that differs: from the solution in a hole, from the starter elsewhere.
/// Nothing if no part differs, or if there is no starter.
pub fn parts_that_differ(file: &Versions) -> Markup {
    let parts = parts(file);
    let differ: Vec<&Part> = parts
        .iter()
        .filter(|part| match part.hole {
            Some(_) => !is_as_in_solution(file, part),
            None => !is_kept(file, part),
        })
        .collect();
    html! {
        @if file.submission.is_some() && file.starter.is_some() && !differ.is_empty() {
            li {
                code { (file.path) } " differs in "
                @for (at, part) in differ.iter().enumerate() {
                    @if at > 0 { ", " }
                    a href=(format!("#{}", id(file, part))) {
                        @match part.hole {
                            Some(hole) => { "hole " (hole) }
                            None => "lines outside the holes",
                        }
                    }
                }
            }
        }
    }
}

/// The id of a part on the page.
fn id(file: &Versions, part: &Part) -> String {
    let path = file.path.replace(['/', '.'], "-");
    match part.hole {
        Some(hole) => format!("{path}-hole-{hole}"),
        None => format!("{path}-from-{}", part.starter.start),
    }
}

/// Is this part of the submission the same as in the starter? If the file was not submitted, nothing of it was changed.
fn is_kept(file: &Versions, part: &Part) -> bool {
    let starter = lines(file.starter.as_deref());
    let submission = lines(file.submission.as_deref());
    file.starter.is_some()
        && (file.submission.is_none()
            || starter[part.starter.clone()] == submission[part.submission.clone()])
}

/// The given versions of a part, one beside the other.
fn panes(file: &Versions, part: &Part, versions: &[Option<&Version>; 3]) -> Markup {
    let rows = rows(file, part);
    let indent = indent(file, part);
    let shown = versions.iter().flatten().count();
    html! {
        div.panes style=(format!("--panes: {shown}; --lines: {}", rows.len() + 1)) {
            @for (column, version) in versions.iter().enumerate() {
                @if let Some(version) = version { (pane(column, version, versions, &rows, indent)) }
            }
        }
    }
}

fn pane(
    column: usize,
    version: &Version,
    versions: &[Option<&Version>; 3],
    rows: &[Row],
    indent: usize,
) -> Markup {
    html! {
        div class={ "pane " (version.name) } {
            p.version { (version.name) }
            @for row in rows {
                @let (number, other, other_number) = beside(column, row, versions);
                @match version.line(number) {
                    Some((text, spans)) => {
                        @let changed = other.map(|other| changed(text, other.line(other_number), column));
                        @let class = if changed.as_ref().is_some_and(|changed| !changed.is_empty()) { "line differs" } else { "line" };
                        code class=(class) { (colored(text, spans, &changed.unwrap_or_default(), indent)) }
                    }
                    None => code.line.none {},
                }
            }
        }
    }
}

/// The number of a version's line in a row, and the line that it is compared with. The submission is compared with the solution
/// if that is shown, and with the starter if not.
fn beside<'v>(
    column: usize,
    row: &Row,
    versions: &[Option<&'v Version<'v>>; 3],
) -> (Option<usize>, Option<&'v Version<'v>>, Option<usize>) {
    let [starter, submission, solution] = *versions;
    match (column, solution) {
        (0, Some(_)) => (row.starter, None, None),
        (0, None) => (row.starter, submission, row.submission),
        (1, Some(_)) => (row.submission, solution, row.solution),
        (1, None) => (row.submission, starter, row.starter),
        _ => (row.solution, submission, row.submission),
    }
}

/// The parts of a line, in bytes, that differ from the other line. If there is no other line, the whole line differs.
fn changed(text: &str, other: Option<(&str, &[Span])>, column: usize) -> Vec<Range<usize>> {
    match other {
        // Two lines are always compared in the same order, so that both sides mark the same difference.
        Some((other, _)) if column == 1 => differences(text, other).0,
        Some((other, _)) => differences(other, text).1,
        None => whole(text),
    }
}

/// How many spaces all lines of a part begin with, in all versions. These spaces are not shown.
fn indent(file: &Versions, part: &Part) -> usize {
    let of = |text: &Option<String>, range: &Range<usize>| {
        let lines = lines(text.as_deref());
        let lines = lines.get(range.clone()).unwrap_or_default();
        let written = lines.iter().filter(|line| !line.trim().is_empty());
        written
            .map(|line| line.len() - line.trim_start_matches(' ').len())
            .min()
    };
    let indents = [
        of(&file.starter, &part.starter),
        of(&file.submission, &part.submission),
        of(&file.solution, &part.solution),
    ];
    indents.into_iter().flatten().min().unwrap_or(0)
}

/// A line without its indentation, with its colors and its differences.
fn colored(text: &str, spans: &[Span], changed: &[Range<usize>], indent: usize) -> Markup {
    let mut cuts: Vec<usize> = spans
        .iter()
        .map(|(range, _)| range)
        .chain(changed)
        .flat_map(|range| [range.start, range.end])
        .chain([indent, text.len()])
        .filter(|cut| (indent..=text.len()).contains(cut))
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    html! {
        @for cut in cuts.windows(2) {
            @let (piece, at) = (&text[cut[0]..cut[1]], cut[0]);
            @let kind = spans.iter().find(|(range, _)| range.contains(&at)).map(|(_, kind)| *kind);
            @if changed.iter().any(|range| range.contains(&at)) {
                mark class=[kind] { (piece) }
            } @else if let Some(kind) = kind {
                span class=(kind) { (piece) }
            } @else {
                (piece)
            }
        }
    }
}
