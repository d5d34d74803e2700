//! `cargo lab grade`: judges submissions that nobody has read.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use console::style;
use grading::{Class, Graded, Grader, Summary};
use judge::{Points, Report};
use pages::{Profiled, profile_page};
use terminal::{
    ProgressBar, Usage, ensure_writable, exit_code, not_judged, print_verdicts, sign, write_page,
};

/// Fetches and builds everything that grading needs.
pub fn prepare() -> Result<ExitCode> {
    Grader::default().prepare()?;
    println!("Everything that grading needs is ready. Grading itself needs no network.");
    Ok(ExitCode::SUCCESS)
}

/// Grades submissions, `jobs` of them at a time, and prints their reports. If there is a folder `out`, keeps the results there.
/// If there is a file `profile`, writes there where the seconds went.
pub fn grade_class(
    submissions: Vec<PathBuf>,
    jobs: usize,
    out: Option<PathBuf>,
    profile: Option<&Path>,
    json: bool,
) -> Result<ExitCode> {
    let class = Class::new(submissions, out.clone(), jobs);
    let class = class.map_err(|error| Usage(format!("{error:#}")))?;
    ensure_writable(profile)?;
    print_skipped(&class);
    print_gaps();
    let is_class = class.len() > 1;
    let bar = ProgressBar::new(class.len(), "graded");
    let graded = class.grade(&Grader::default(), |graded| {
        if json {
            bar.println(serde_json::to_string(&graded.report).unwrap_or_default());
        } else if is_class {
            bar.println(format!("{}{}", line(graded), not_judged(&graded.report)));
        } else {
            bar.println(line(graded));
        }
        bar.one_more();
    });
    bar.clear();
    let graded = graded?;
    if let Some(file) = profile {
        write_page(file, &profile_of(&graded))?;
    }
    let reports: Vec<Report> = graded.into_iter().map(|graded| graded.report).collect();
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

/// Says which parts of the confinement cannot be enforced on this machine. To be called before anything is graded.
pub fn print_gaps() {
    for gap in confine::gaps() {
        eprintln!("Not enforced on this machine: {gap}.");
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
