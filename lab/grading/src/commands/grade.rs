//! `cargo lab grade`: judges submissions that nobody has read.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Error, Result};
use broker::wait;
use console::style;
use grading::queue::grade_through;
use grading::{Class, Graded, Grader, Roster, Summary};
use judge::{Points, Report};
use pages::{Profiled, profile_page};
use terminal::{
    ProgressBar, Usage, ensure_writable, exit_code, not_judged, print_verdicts, sign, write_page,
};

use crate::commands::gaps::print_gaps;
use crate::commands::queue::{Through, status};

/// Fetches and builds everything that grading needs.
pub fn prepare() -> Result<ExitCode> {
    Grader::default().prepare()?;
    println!("Everything that grading needs is ready. Grading itself needs no network.");
    Ok(ExitCode::SUCCESS)
}

/// Grades submissions, `jobs` of them at a time, and prints their reports. If there is a folder `out`, keeps the results there.
/// With a `roster`, the gradebook there begins with its columns. If there is a file `profile`, writes there where the seconds went.
/// The options in `through` let workers grade.
pub fn grade_class(
    submissions: Vec<PathBuf>,
    jobs: usize,
    out: Option<PathBuf>,
    roster: Option<&Path>,
    profile: Option<&Path>,
    json: bool,
    through: &Through,
) -> Result<ExitCode> {
    let connection = through.connection()?;
    if let Some(connection) = connection.as_ref().filter(|_| through.status) {
        return status(connection);
    }
    let usage = |error: Error| Usage(format!("{error:#}"));
    let roster = roster.map(Roster::read).transpose().map_err(usage)?;
    let class = Class::new(submissions, out.clone(), jobs).map_err(usage)?;
    let class = class.with_roster(roster.clone());
    ensure_writable(profile)?;
    print_skipped(&class);
    if connection.is_none() {
        print_gaps();
    }
    let is_class = class.len() > 1;
    let bar = ProgressBar::new(class.len(), "graded");
    let done = |graded: &Graded| {
        if json {
            bar.println(serde_json::to_string(&graded.report).unwrap_or_default());
        } else if is_class {
            bar.println(format!("{}{}", line(graded), not_judged(&graded.report)));
        } else {
            bar.println(line(graded));
        }
        bar.one_more();
    };
    let graded = match &connection {
        None => class.grade(&Grader::default(), done),
        Some(connection) => grade_through(&class, connection, through.shared.as_deref(), done),
    };
    bar.clear();
    if connection.is_some() && wait::interrupted() {
        eprintln!("What was published waits in Kafka. The same command goes on from here.");
    }
    let graded = graded?;
    if let Some(file) = profile {
        write_page(file, &profile_of(&graded))?;
    }
    let reports: Vec<Report> = graded.into_iter().map(|graded| graded.report).collect();
    if let Some(roster) = roster {
        print_strangers(&roster, &reports);
    }
    if !json {
        match &reports[..] {
            [one] => print_verdicts(&one.checks),
            all => println!("\n{}", Summary(all)),
        }
        if let Some(out) = out {
            println!("\nThe results are in {}.", out.display());
        }
    }
    Ok(exit_code(&reports))
}

/// The page that shows where the seconds went.
fn profile_of(graded: &[Graded]) -> String {
    let submissions = graded.iter().map(|graded| Profiled {
        report: &graded.report,
        kept: graded.kept,
    });
    profile_page(&submissions.collect::<Vec<_>>())
}

/// Names the files that are not graded, so that an instructor can see that no student is missing.
fn print_skipped(class: &Class) {
    if !class.skipped.is_empty() {
        eprintln!(
            "Skipped, because these are not submissions: {}.",
            class.skipped.join(", ")
        );
    }
}

/// Names the submissions whose students are not in the roster, or are not clear.
fn print_strangers(roster: &Roster, reports: &[Report]) {
    let names = reports.iter().map(|report| report.submission.as_str());
    let strangers: Vec<&str> = names
        .filter(|name| roster.student(name).is_none())
        .collect();
    if !strangers.is_empty() {
        eprintln!(
            "No student, or more than one, in the roster fits these submissions: {}. In the gradebook, their first cells are empty.",
            strangers.join(", ")
        );
    }
}

/// The score of a submission, as one line.
fn line(graded: &Graded) -> String {
    let report = &graded.report;
    let note = if graded.kept {
        "graded in an earlier run".to_string()
    } else {
        format!("{:.1} s", report.seconds)
    };
    format!(
        "{} {}: {}  {}",
        sign(report.outcome),
        report.submission,
        Points::of(&report.checks),
        style(note).dim()
    )
}
