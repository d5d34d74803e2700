//! Reports on submissions whose programs could not even be started: every check has the same verdict.

use std::time::Duration;

use judge::{Judged, Report, TASKS, Verdict};

/// Every check failed, because nothing could be read from the submission. `why` says what is wrong with it.
pub fn nothing_submitted(name: &str, why: &str) -> Report {
    let verdict = Verdict::Failed {
        expected: "a student's workspace, or a folder of executables or Python scripts".to_string(),
        saw: why.to_string(),
        hint: "Submit the folder, or a .zip or .tar.gz archive of it.".to_string(),
    };
    every_check(name, &verdict)
}

/// No check could be judged. `why` says what failed, which is not the submission's fault.
pub fn not_judged(name: &str, why: &str) -> Report {
    let why = why.to_string();
    every_check(name, &Verdict::NotJudged { why })
}

fn every_check(name: &str, verdict: &Verdict) -> Report {
    let mut judged = Vec::new();
    for task in TASKS {
        let row = |check| Judged::new(check, task.bonus, verdict.clone(), Vec::new());
        judged.extend(task.checks.iter().map(row));
    }
    Report::new(name, Duration::ZERO, judged)
}
