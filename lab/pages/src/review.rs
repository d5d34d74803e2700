//! A submission for review: each task's verdicts beside its code, starter, submission and solution side by side.

use checks::{Judged, Report, TASKS, Task};
use maud::{Markup, html};

use crate::code::code;
use crate::compare::Versions;
use crate::page::page;
use crate::verdicts::{sign, verdicts, what_happened};

/// What there is to review.
pub struct Review<'a> {
    pub report: &'a Report,
    /// The sources, by program in their order; none where the submission has none that could be shown.
    pub files: &'a [Versions],
    /// What else a reader should know of the submission.
    pub remarks: &'a [String],
    /// Where the page of the whole class is, if there is one.
    pub class: Option<&'a str>,
}

/// The page.
pub fn review_page(review: &Review) -> String {
    let report = review.report;
    let (mark, word) = sign(report.verdict);
    let body = html! {
        header {
            @if let Some(class) = review.class { nav { a href=(class) { "← the class" } } }
            h1 { (report.submission) }
            p { strong { (report.score) " of " (report.max_score) " points" } " · " (mark) " " (word) }
            @for remark in review.remarks { p { (remark) } }
            nav aria-label="Tasks" {
                ul.tasks {
                    @for task in TASKS {
                        @let rows = of_task(report, task);
                        @if !rows.is_empty() {
                            li { a href=(format!("#task-{}", task.number)) { "Task " (task.number) } " " (points(&rows)) }
                        }
                    }
                }
            }
        }
        @for task in TASKS {
            @let rows = of_task(report, task);
            @if !rows.is_empty() { (section(task, &rows, review.files)) }
        }
    };
    page(
        &format!(
            "{}: {} of {}",
            report.submission, report.score, report.max_score
        ),
        &body,
    )
}

fn section(task: &Task, rows: &[&Judged], files: &[Versions]) -> Markup {
    let is_of_task = |file: &&Versions| {
        let program = file.path.split(['/', '.']).next();
        program.is_some_and(|program| task.programs.contains(&program))
    };
    let files: Vec<&Versions> = files.iter().filter(is_of_task).collect();
    html! {
        section id=(format!("task-{}", task.number)) {
            h2 { "Task " (task.number) ". " (task.title) " " span.quiet { (points(rows)) } }
            div.beside {
                (verdicts(rows, task.title))
                @if !files.is_empty() { div.files { @for file in files { (code(file)) } } }
            }
            (what_happened(rows))
        }
    }
}

fn of_task<'a>(report: &'a Report, task: &Task) -> Vec<&'a Judged> {
    let rows = report.checks.iter();
    rows.filter(|row| row.task == task.number).collect()
}

fn points(rows: &[&Judged]) -> String {
    let points: u32 = rows.iter().map(|row| row.points).sum();
    let most: u32 = rows.iter().map(|row| row.max_points).sum();
    format!("{points} of {most}")
}
