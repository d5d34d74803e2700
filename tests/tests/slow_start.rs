//! How long a program takes to start is no matter of its author: it depends on the machine and the language.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result};
use judge::programs::Version;
use judge::{Submission, TASKS};
use libtest_mimic::Trial;

use crate::bank::{expect, judge};
use crate::{programs, trial};

pub fn trials() -> Vec<Trial> {
    let slow = trial(
        "slow_start::passes_although_it_starts_for_longer_than_it_may_work",
        passes_although_it_starts_for_longer_than_it_may_work,
    );
    vec![slow.with_ignored_flag(true)]
}

/// The solution of `producer`, which must end within 20 s, after 22 s of work that a runtime could do when it starts.
fn passes_although_it_starts_for_longer_than_it_may_work() -> Result<()> {
    let solutions = programs(Version::Solution)?;
    let producer = solutions.get("producer").context("no producer was built")?;
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("producer");
    fs::write(
        &script,
        format!(
            "#!/bin/sh\nend=$(($(date +%s) + 22))\nwhile [ $(date +%s) -lt $end ]; do :; done\nexec '{}'\n",
            producer.display()
        ),
    )?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let programs = BTreeMap::from([("producer".to_string(), script)]);
    let task = TASKS.first().context("there are no tasks")?;
    expect(&judge(&Submission::of(programs), &[task]), &[])
}
