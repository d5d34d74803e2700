//! A report as a page: the verdicts on each task, and what happened when checks failed.

use judge::{Judged, Points, Report, TASKS, Task};
use maud::{Markup, html};

use crate::page::page;
use crate::told_once::Reasons;
use crate::verdict_in_words::{check_id, sign};
use crate::verdicts::{verdicts, what_happened};

/// The code of a task.
pub struct Code {
    /// A list item for each file that differs from the solution, with links to the parts.
    pub differences: Markup,
    /// What to show beside the verdicts.
    pub files: Markup,
}

/// The page of a report, without code.
pub fn report_page(report: &Report) -> String {
    page_with_code(report, &html! {}, &html! {}, |_| None)
}

/// The page of a report. `before` comes above the title and `remarks` below the score. `code` gives the code of a task.
pub fn page_with_code(
    report: &Report,
    before: &Markup,
    remarks: &Markup,
    code: impl Fn(&Task) -> Option<Code>,
) -> String {
    let (mark, word) = sign(report.outcome);
    let reasons = Reasons::of(report);
    let all = Points::of(&report.checks);
    let tasks: Vec<TaskPart> = TASKS
        .iter()
        .map(|task| TaskPart {
            task,
            rows: of_task(report, task),
            code: code(task),
        })
        .filter(|part| !part.rows.is_empty())
        .collect();
    let body = html! {
        header {
            (before)
            h1 { (report.submission) }
            p { strong { (all) } " · " (mark) " " (word) }
            (remarks)
            nav aria-label="Tasks" {
                ul.tasks {
                    @for part in &tasks {
                        li { a href=(format!("#{}", part.id())) { "Task " (part.task.number) } " " (points(&part.rows)) }
                    }
                }
            }
        }
        @if tasks.iter().any(|part| !part.has_passed()) {
            section {
                h2 { "What did not pass" }
                (reasons.boxes())
                @for part in tasks.iter().filter(|part| !part.has_passed()) { (part.overview(&reasons)) }
            }
        }
        @for part in &tasks { (part.section(&reasons)) }
    };
    page(&format!("{}: {all}", report.submission), &body)
}

/// What a page shows about one task.
struct TaskPart<'a> {
    task: &'static Task,
    rows: Vec<&'a Judged>,
    code: Option<Code>,
}

impl TaskPart<'_> {
    fn id(&self) -> String {
        format!("task-{}", self.task.number)
    }

    fn has_passed(&self) -> bool {
        self.rows.iter().all(|row| row.passed())
    }

    /// The checks that did not pass, and where the code differs, as links.
    fn overview(&self, reasons: &Reasons) -> Markup {
        let told_here = |row: &&&Judged| !row.passed() && !reasons.tell(row);
        html! {
            h3 { (self.heading()) }
            ul {
                (reasons.links(&self.rows))
                @for row in self.rows.iter().filter(told_here) {
                    li { (sign(row.outcome).0) " " a href=(format!("#{}", check_id(row))) { (row.title) } }
                }
                @if let Some(code) = &self.code { (code.differences) }
            }
        }
    }

    /// All verdicts on the task, and its code. If every check passed, this is folded away.
    fn section(&self, reasons: &Reasons) -> Markup {
        let heading = html! { h2 { (self.heading()) } };
        let content = html! {
            div.beside {
                (verdicts(&self.rows, reasons, self.task.title))
                @if let Some(code) = &self.code { div.files { (code.files) } }
            }
            (what_happened(&self.rows))
        };
        html! {
            section id=(self.id()) {
                @if self.has_passed() {
                    details.whole { summary { (heading) } (content) }
                } @else {
                    (heading) (content)
                }
            }
        }
    }

    fn heading(&self) -> Markup {
        html! {
            @if self.has_passed() { span.sign { "✓ " } }
            "Task " (self.task.number) ". " (self.task.title) " " span.quiet { (points(&self.rows)) }
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
