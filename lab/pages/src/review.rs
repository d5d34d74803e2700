//! A submission for review: its report, with the starter, the submission and the solution side by side.

use judge::{Report, Task};
use maud::html;

use crate::code::{code, parts_that_differ};
use crate::compare::Versions;
use crate::report::{Code, page_with_code};

/// A submission to review.
pub struct Review<'a> {
    pub report: &'a Report,
    /// The source files in the order of their programs; empty if the submission has none that can be shown.
    pub files: &'a [Versions],
    /// What else a reader should know about the submission, one paragraph each.
    pub remarks: &'a [String],
    /// A link to the page of the whole class, if there is one.
    pub class: Option<&'a str>,
}

/// The page of a submission for review.
pub fn review_page(review: &Review) -> String {
    let class = html! {
        @if let Some(class) = review.class { nav { a href=(class) { "← All submissions" } } }
    };
    let remarks = html! {
        @for remark in review.remarks { p { (remark) } }
    };
    page_with_code(review.report, &class, &remarks, |task| {
        code_of(task, review.files)
    })
}

fn code_of(task: &Task, files: &[Versions]) -> Option<Code> {
    let is_of_task = |file: &&Versions| {
        let program = file.path.split(['/', '.']).next();
        program.is_some_and(|program| task.programs.contains(&program))
    };
    let files: Vec<&Versions> = files.iter().filter(is_of_task).collect();
    if files.is_empty() {
        return None;
    }
    Some(Code {
        differences: html! { @for file in &files { (parts_that_differ(file)) } },
        files: html! { @for file in &files { (code(file)) } },
    })
}
