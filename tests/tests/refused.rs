//! What the grader's machine refuses to a submitted program is not judged, and the report says what to do. It is no zero.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use judge::programs::Version;
use judge::{Judged, Outcome, Report};
use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::command_line::CommandLine;
use crate::{busy_trial, programs};

pub fn trials() -> Vec<Trial> {
    vec![busy_trial(
        "refused::a_program_that_cannot_start_is_not_judged_and_the_others_are",
        2,
        cannot_start,
    )]
}

/// Task 1 is an executable for macOS, task 2 imports a module that nobody has, and task 4 is a script whose interpreter is not where the system's are.
fn cannot_start() -> Result<()> {
    let folder = TempDir::new()?;
    let (student, tools) = (folder.path().join("student"), folder.path().join("tools"));
    for folder in [&student, &tools] {
        fs::create_dir(folder)?;
    }
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
    fs::copy("/bin/sh", tools.join("sh"))?;
    let solutions = programs(Version::Solution)?;
    fs::copy(&solutions["consumer_crash"], student.join("right"))?;
    let script = format!("#!{}/sh\nexec \"${{0%/*}}/right\"\n", tools.display());
    write_executable(&student.join("consumer_crash"), script.as_bytes())?;
    write_executable(&student.join("producer"), b"\xcf\xfa\xed\xfe of macOS\n")?;
    fs::write(student.join("consumer.py"), "import kafka_of_nobody\n")?;
    fs::write(student.join("notes.py"), "import another_of_nobody\n")?;

    let lab = CommandLine::new()?;
    let mut grade = lab.command("grade --json");
    grade.arg(&student);
    let report = graded(&mut grade, 3)?;
    for (task, words) in [(1, "another kind of machine"), (4, "KAFKA_LAB_READABLE")] {
        ensure_not_judged(&report, task, words)?;
    }
    ensure!(
        of_task(&report, 3).all(|row| row.outcome == Outcome::Failed),
        "what was not submitted is judged: {report:?}"
    );

    let report = graded(grade.env("KAFKA_LAB_READABLE", &tools), 3)?;
    ensure!(of_task(&report, 4).all(Judged::passed), "{report:?}");
    let nowhere = tools.join("nowhere");
    let report = graded(grade.env("KAFKA_LAB_READABLE", &nowhere), 3)?;
    ensure_not_judged(&report, 4, &nowhere.display().to_string())
}

fn write_executable(file: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(file, bytes)?;
    Ok(fs::set_permissions(file, Permissions::from_mode(0o755))?)
}

/// The report that this command prints. Its exit status must be `status`.
fn graded(command: &mut Command, status: i32) -> Result<Report> {
    let output = command.output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.code() == Some(status),
        "{}: {printed}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&printed).with_context(|| printed.clone().into_owned())
}

fn of_task(report: &Report, task: u32) -> impl Iterator<Item = &Judged> {
    report.checks.iter().filter(move |row| row.task == task)
}

/// No check of this task was judged, and each says why, with these words.
fn ensure_not_judged(report: &Report, task: u32, words: &str) -> Result<()> {
    let is_right = |row: &Judged| row.outcome == Outcome::NotJudged && row.saw.contains(words);
    match of_task(report, task).find(|row| !is_right(row)) {
        Some(row) => bail!("it should be not judged, with `{words}`: {row:?}"),
        None => Ok(()),
    }
}
