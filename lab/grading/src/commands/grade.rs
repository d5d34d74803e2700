//! `cargo lab grade`: submissions that nobody has read.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use console::style;
use grading::{Class, Graded, Grader, Summary};

use terminal::{ProgressBar, Usage, exit_code, not_judged, print_verdicts, sign};

pub fn prepare() -> Result<ExitCode> {
    Grader::default().prepare()?;
    println!("All that grading needs is there.");
    Ok(ExitCode::SUCCESS)
}

pub fn grade_class(
    submissions: Vec<PathBuf>,
    jobs: usize,
    out: Option<PathBuf>,
    json: bool,
) -> Result<ExitCode> {
    let class = Class::new(submissions, out.clone(), jobs);
    let class = class.map_err(|error| Usage(format!("{error:#}")))?;
    tell_gaps();
    let is_class = class.len() > 1;
    let bar = ProgressBar::new(class.len(), "graded");
    let reports = class.grade(&Grader::default(), |graded| {
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
    let reports = reports?;
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

/// What cannot be enforced here is told before anything is graded.
pub fn tell_gaps() {
    for gap in confine::gaps() {
        eprintln!("Not enforced here: {gap}.");
    }
}

fn line(graded: &Graded) -> String {
    let report = &graded.report;
    let note = if graded.kept {
        "graded before".to_string()
    } else {
        format!("{:.1} s", report.seconds)
    };
    format!(
        "{} {}: {} of {} points  {}",
        sign(report.verdict),
        report.submission,
        report.score,
        report.max_score,
        style(note).dim()
    )
}
