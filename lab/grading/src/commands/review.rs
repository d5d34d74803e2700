//! `cargo lab review`: submissions as pages, starter, submission and solution side by side.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use grading::{CLASS, Class, Grader, Intake, review};
use judge::programs::workspace;

use terminal::{Usage, ensure_writable, exit_code, not_judged, sign, write_page};

use crate::commands::grade::{grade_class, tell_gaps};

/// Grades a submission and writes its page; of several, a page each and one of the class into a folder.
pub fn review_submissions(
    submissions: Vec<PathBuf>,
    out: Option<PathBuf>,
    jobs: usize,
) -> Result<ExitCode> {
    if !workspace().join("solutions").exists() {
        bail!(Usage(
            "a review needs the solutions, and this workspace holds none; `cargo lab check --report FILE` makes a page \
             without them"
                .to_string()
        ));
    }
    match &submissions[..] {
        [one] => review_one(&one.clone(), submissions, out, jobs),
        _ => {
            let out = out.unwrap_or_else(|| PathBuf::from("review"));
            let code = grade_class(submissions, jobs, Some(out.clone()), false)?;
            println!("Begin with {}.", out.join(CLASS).display());
            Ok(code)
        }
    }
}

fn review_one(
    source: &Path,
    submissions: Vec<PathBuf>,
    out: Option<PathBuf>,
    jobs: usize,
) -> Result<ExitCode> {
    let class = Class::new(submissions, None, jobs);
    let class = class.map_err(|error| Usage(format!("{error:#}")))?;
    ensure_writable(out.as_deref())?;
    tell_gaps();
    let reports = class.grade(&Grader::default(), |_| {})?;
    let Some(report) = reports.first() else {
        bail!("nothing was graded");
    };
    println!("{} {report}{}", sign(report.verdict), not_judged(report));
    let file = out.unwrap_or_else(|| PathBuf::from(format!("review-{}.html", report.submission)));
    let intake = Intake::read(source).unwrap_or_default();
    write_page(&file, &review(report, &intake, None)?)?;
    Ok(exit_code(&reports))
}
