//! A report as a page: the verdicts on each task, and what happened when checks failed.

use judge::{Judged, Report, TASKS, Task};
use maud::{Markup, html};

use crate::page::page;
use crate::told_once::Reasons;
use crate::verdict_in_words::sign;
use crate::verdicts::{verdicts, what_happened};

/// The page of a report, without code.
pub fn report_page(report: &Report) -> String {
    page_with_code(report, &html! {}, &html! {}, |_| None)
}

/// The page of a report. `before` comes above the title and `remarks` below the score. `code` gives what to show beside the
/// verdicts on a task.
pub fn page_with_code(
    report: &Report,
    before: &Markup,
    remarks: &Markup,
    code: impl Fn(&Task) -> Option<Markup>,
) -> String {
    let (mark, word) = sign(report.outcome);
    let reasons = Reasons::of(report);
    let body = html! {
        header {
            (before)
            h1 { (report.submission) }
            p { strong { (report.score) " of " (report.max_score) " points" } " · " (mark) " " (word) }
            (remarks)
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
        (reasons.boxes())
        @for task in TASKS {
            @let rows = of_task(report, task);
            @if !rows.is_empty() { (section(task, &rows, &reasons, code(task))) }
        }
    };
    let title = format!(
        "{}: {} of {}",
        report.submission, report.score, report.max_score
    );
    page(&title, &body)
}

fn section(task: &Task, rows: &[&Judged], reasons: &Reasons, code: Option<Markup>) -> Markup {
    html! {
        section id=(format!("task-{}", task.number)) {
            h2 { "Task " (task.number) ". " (task.title) " " span.quiet { (points(rows)) } }
            div.beside {
                (verdicts(rows, reasons, task.title))
                @if let Some(code) = code { div.files { (code) } }
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
