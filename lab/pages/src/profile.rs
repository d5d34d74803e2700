//! Where the seconds of grading went, by submission, task, check and kind of waiting.

use std::time::Duration;

use judge::{Profile, Report, Spent, TASKS, Task, Waiting};
use maud::{Markup, html};

use crate::page::page;

/// The kinds of waiting in the order of the columns, with what each of them includes.
const KINDS: [(Waiting, &str, &str); Waiting::ALL.len()] = [
    (
        Waiting::Build,
        "build",
        "Cargo builds the submission, or another one is built before it",
    ),
    (
        Waiting::Broker,
        "broker",
        "a broker starts, or is emptied for its next use",
    ),
    (
        Waiting::Program,
        "program",
        "a program has to start, print, commit or end",
    ),
    (
        Waiting::Kafka,
        "Kafka",
        "requests of the lab itself, and what the cluster does a little later",
    ),
    (
        Waiting::Check,
        "the check",
        "fixed times in which something must not happen, or for which something is held back",
    ),
    (
        Waiting::Other,
        "other",
        "everything else, mostly computing by the lab",
    ),
];

/// The width of the longest bar, in the units of the drawing.
const BAR: f64 = 200.0;

/// A submission on the page.
pub struct Profiled<'a> {
    pub report: &'a Report,
    /// Whether it was graded in an earlier run. Then nothing is known of its time.
    pub kept: bool,
}

/// The page of these submissions, in this order.
pub fn profile_page(submissions: &[Profiled]) -> String {
    let known = || submissions.iter().filter_map(Known::of);
    let mut all = Profile::default();
    known().for_each(|one| all.add(one.profile));
    let body = html! {
        header {
            h1 { "Where the seconds went" }
            p {
                "The checks of a submission run side by side, in up to four lanes. Except for the time by the clock, all times are \
                 sums over these lanes, so they are longer."
            }
            p {
                "The first check that looks at a situation includes the time to bring it about. Other checks that look at it \
                 take hardly any time."
            }
            (legend())
        }
        section { h2 { "Submissions" } (by_submission(submissions)) }
        @if known().count() > 1 {
            section { h2 { "All submissions together" } (by_check(&all, "all submissions together")) }
        }
        @if known().next().is_some() {
            section {
                h2 { "Each submission" }
                @for Known { report, profile } in known() {
                    details open[submissions.len() == 1] {
                        summary { (report.submission) }
                        (by_check(profile, &report.submission))
                    }
                }
            }
        }
    };
    page("Where the seconds went", &body)
}

/// A submission that was judged in this run.
struct Known<'a> {
    report: &'a Report,
    profile: &'a Profile,
}

impl<'a> Known<'a> {
    fn of(submission: &Profiled<'a>) -> Option<Self> {
        let report = submission.report;
        let profile = report.profile.as_ref()?;
        Some(Self { report, profile })
    }
}

fn legend() -> Markup {
    html! {
        ul.legend {
            @for (at, (_, name, words)) in KINDS.iter().enumerate() {
                li { (swatch(at)) strong { (name) } ": " (words) }
            }
        }
    }
}

/// The color of a kind.
fn swatch(at: usize) -> Markup {
    html! {
        svg.bar viewBox="0 0 16 16" aria-hidden="true" { rect class=(color(at)) width="16" height="16" {} }
    }
}

fn color(at: usize) -> String {
    format!("run{at}")
}

/// The table of all submissions, a row for each.
fn by_submission(submissions: &[Profiled]) -> Markup {
    let totals = submissions
        .iter()
        .filter_map(Known::of)
        .map(|one| one.profile.total());
    let longest = totals.map(|spent| spent.total()).max().unwrap_or_default();
    html! {
        div.scroll tabindex="0" role="region" aria-label="Submissions" {
            table.seconds {
                thead {
                    tr {
                        th scope="col" { "submission" }
                        th scope="col" { "as a bar" }
                        th scope="col" { "by the clock" }
                        th scope="col" { "waited for brokers" }
                        (columns())
                    }
                }
                tbody {
                    @for one in submissions {
                        tr {
                            th scope="row" { (one.report.submission) }
                            @if let Some(Known { report, profile }) = Known::of(one) {
                                @let spent = profile.total();
                                td { (bar(&spent, longest)) }
                                td.points { (format!("{:.1} s", report.seconds)) }
                                td.points { (seconds(profile.all_brokers().total())) }
                                (figures(&spent))
                            } @else {
                                td colspan=(KINDS.len() + 4) { (why_unknown(one)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn why_unknown(submission: &Profiled) -> &'static str {
    if submission.kept {
        "graded in an earlier run, so nothing is known of its time"
    } else {
        "none of its programs was judged"
    }
}

/// The table of one profile: a row for each task, and below it a row for each of its checks. `about` says whose profile it is.
fn by_check(profile: &Profile, about: &str) -> Markup {
    let all = profile.total();
    let longest = TASKS.iter().map(|task| profile.task(task).total()).max();
    let longest = longest.unwrap_or_default().max(profile.preparation.total());
    html! {
        div.scroll tabindex="0" role="region" aria-label={ "Tasks and checks: " (about) } {
            table.seconds {
                thead { tr { th scope="col" { "task and check" } th scope="col" { "as a bar" } (columns()) } }
                tbody {
                    tr.whole { th scope="row" { "all" } td {} (figures(&all)) }
                    tr.whole { th scope="row" { "before the tasks" } (cells(&profile.preparation, longest)) }
                    @for task in TASKS { (rows(task, profile, longest)) }
                }
            }
        }
    }
}

/// The rows of a task. Checks that took hardly any time share a row, because most checks are such checks.
fn rows(task: &Task, profile: &Profile, longest: Duration) -> Markup {
    let (shown, quick): (Vec<_>, Vec<_>) = profile
        .checks(task)
        .partition(|(_, spent)| !seconds(spent.total()).is_empty());
    let mut of_quick = Spent::default();
    for (_, spent) in &quick {
        of_quick += *spent;
    }
    html! {
        tr.whole { th scope="row" { "Task " (task.number) ". " (task.title) } (cells(&profile.task(task), longest)) }
        tr { th scope="row" { "until it had a broker" } (cells(&profile.broker(task), longest)) }
        @for (check, spent) in &shown {
            tr { th scope="row" title=(check.title) { code { (check.id) } } (cells(spent, longest)) }
        }
        @if !quick.is_empty() {
            tr { th scope="row" { (quick.len()) " checks in less than 0.05 s each" } (cells(&of_quick, longest)) }
        }
    }
}

/// The heads of the columns that [`figures`] fills.
fn columns() -> Markup {
    html! {
        th.points scope="col" { "in lanes" }
        @for (at, (_, name, _)) in KINDS.iter().enumerate() { th.points scope="col" { (swatch(at)) (name) } }
    }
}

/// A row's bar and its figures. The bar of `longest` has the full width.
fn cells(spent: &Spent, longest: Duration) -> Markup {
    html! {
        td { (bar(spent, longest)) }
        (figures(spent))
    }
}

fn figures(spent: &Spent) -> Markup {
    html! {
        td.points { (seconds(spent.total())) }
        @for (what, ..) in KINDS { td.points { (seconds(spent.on(what))) } }
    }
}

/// A time for a table. A time that would be shown as zero is left out, because most cells hold none.
fn seconds(time: Duration) -> String {
    let text = format!("{:.1} s", time.as_secs_f64());
    if text == "0.0 s" { String::new() } else { text }
}

/// A bar with a part for each kind of waiting. Screen readers get the figures beside it.
fn bar(spent: &Spent, longest: Duration) -> Markup {
    let scale = BAR / longest.as_secs_f64().max(f64::MIN_POSITIVE);
    let mut x = 0.0;
    html! {
        svg.bar viewBox=(format!("0 0 {BAR} 16")) aria-hidden="true" {
            @for (at, (what, name, _)) in KINDS.iter().enumerate() {
                @let (from, width) = (x, spent.on(*what).as_secs_f64() * scale);
                ({ x += width; "" })
                @if width >= 0.05 {
                    rect class=(color(at)) x=(format!("{from:.1}")) width=(format!("{width:.1}")) height="16" {
                        title { (name) " " (seconds(spent.on(*what))) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(what: Waiting, milliseconds: u64) -> Spent {
        let mut spent = Spent::default();
        spent.add(what, Duration::from_millis(milliseconds));
        spent
    }

    fn report(name: &str, profile: Option<Profile>) -> Report {
        let mut report = Report::new(name, Duration::from_secs(9), Vec::new());
        report.profile = profile;
        report
    }

    fn profile() -> Profile {
        let mut profile = Profile::default();
        profile.preparation = spent(Waiting::Build, 4_000);
        profile.add_broker(1, spent(Waiting::Broker, 1_500));
        profile.add_check("producer.ends", spent(Waiting::Program, 2_500));
        profile
    }

    #[test]
    fn rows_add_up() {
        let report = report("jane", Some(profile()));
        let page = profile_page(&[Profiled {
            report: &report,
            kept: false,
        }]);
        for words in ["9.0 s", "8.0 s", "4.0 s", "1.5 s", "2.5 s", "producer.ends"] {
            assert!(page.contains(words), "the page does not say {words}");
        }
        assert!(!page.contains("All submissions together"));
    }

    #[test]
    fn all_submissions_together_are_the_sum() {
        let (one, other) = (
            report("jane", Some(profile())),
            report("joe", Some(profile())),
        );
        let submissions = [&one, &other].map(|report| Profiled {
            report,
            kept: false,
        });
        let page = profile_page(&submissions);
        let together = page.split("All submissions together").nth(1);
        assert!(together.is_some_and(|text| text.contains("16.0 s") && text.contains("5.0 s")));
    }

    #[test]
    fn a_submission_without_a_profile_says_why() {
        let report = report("jane", None);
        let page = |kept| {
            profile_page(&[Profiled {
                report: &report,
                kept,
            }])
        };
        assert!(page(true).contains("graded in an earlier run"));
        assert!(page(false).contains("none of its programs was judged"));
    }
}
