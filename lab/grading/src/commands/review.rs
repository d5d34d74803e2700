//! `cargo lab review`: shows submissions as pages, with starter, submission and solution side by side.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use grading::{Class, Graded, Grader, INDEX, review};
use judge::Points;
use judge::programs::workspace;
use terminal::{Usage, ensure_writable, exit_code, not_judged, sign, write_page};

use crate::commands::gaps::print_gaps;
use crate::commands::grade::grade_class;
use crate::commands::queue::Through;

/// Grades one submission and writes its page; or grades several, and writes their pages and the page of the class to a folder.
pub fn review_submissions(
    submissions: Vec<PathBuf>,
    out: Option<PathBuf>,
    jobs: usize,
) -> Result<ExitCode> {
    if !workspace().join("solutions").exists() {
        bail!(Usage(
            "a review shows the solutions, but this workspace has none. `cargo lab check --report FILE` makes a page without them"
                .to_string()
        ));
    }
    match &submissions[..] {
        [_] => review_one(submissions, out),
        _ => {
            let out = out.unwrap_or_else(|| PathBuf::from("review"));
            let code = grade_class(
                submissions,
                jobs,
                Some(out.clone()),
                None,
                None,
                false,
                &Through::default(),
            )?;
            println!("Open {} first.", out.join(INDEX).display());
            Ok(code)
        }
    }
}

fn review_one(submission: Vec<PathBuf>, out: Option<PathBuf>) -> Result<ExitCode> {
    let class = Class::new(submission, None, 1);
    let class = class.map_err(|error| Usage(format!("{error:#}")))?;
    ensure_writable(out.as_deref())?;
    print_gaps();
    let graded = class.grade(&Grader::default(), |_| {})?;
    let Some(Graded { report, intake, .. }) = graded.first() else {
        bail!("no submission was graded");
    };
    let points = Points::of(&report.checks);
    println!(
        "{} {points}, after {:.0} s.{}",
        sign(report.outcome),
        report.seconds,
        not_judged(report)
    );
    let file = out.unwrap_or_else(|| PathBuf::from(format!("review-{}.html", report.submission)));
    write_page(&file, &review(report, intake, None)?)?;
    Ok(exit_code(std::slice::from_ref(report)))
}
