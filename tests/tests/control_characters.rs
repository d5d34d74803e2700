//! What programs print and what submissions are called reaches a terminal only as text: it can clear no screen, color nothing and
//! overwrite no line.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::command_line::{CommandLine, text};
use crate::trial;

pub fn trials() -> Vec<Trial> {
    vec![trial("control_characters::reach_no_terminal", reach_none)]
}

/// The producer ends with success, so the verdicts and the history show what it printed. The consumer fails at once.
fn reach_none() -> Result<()> {
    const PRINTS: &str =
        "printf 'out\\033[2J\\007\\rover\\n'; printf 'err\\033]0;title\\007\\n' >&2";
    let folder = TempDir::new()?;
    let student = folder.path().join("jane\u{1b}[2J");
    fs::create_dir(&student)?;
    for (program, status) in [("producer", 0), ("consumer", 1)] {
        let file = student.join(program);
        fs::write(&file, format!("#!/bin/sh\n{PRINTS}\nexit {status}\n"))?;
        fs::set_permissions(&file, Permissions::from_mode(0o755))?;
    }
    let lab = CommandLine::new()?;
    let graded = text(&lab.command("grade").arg(&student).output()?)?;
    let checked = text(&lab.command("check 1 --programs").arg(&student).output()?)?;
    for (printed, words) in [
        (&graded, "jane\\x1b[2J: 0 of 100 points"),
        (&graded, "out| out\\x1b[2J\\x07\\rover"),
        (&checked, "(stderr) err\\x1b]0;title\\x07"),
    ] {
        ensure!(printed.contains(words), "no `{words}`: {printed:?}");
        let obeyed = printed.chars().find(|c| c.is_control() && *c != '\n');
        ensure!(obeyed.is_none(), "{obeyed:?} in {printed:?}");
    }
    let missing = lab.refused(lab.command("grade").arg(folder.path().join("\u{1b}[2J")))?;
    ensure!(
        missing.contains("\\x1b[2J") && !missing.contains('\u{1b}'),
        "{missing:?}"
    );
    Ok(())
}
