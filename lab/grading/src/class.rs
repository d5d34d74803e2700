//! Grading many: side by side, results whole or not at all, and on from where it was stopped.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use broker::wait;
use judge::{Judged, Report, TASKS, Verdict};
use pages::class_page;
use parking_lot::Mutex;

use crate::formats::{classroom50, gradebook, gradescope, junit};
use crate::grader::Grader;
use crate::intake::Intake;
use crate::review::review;
use crate::summary::Summary;
use terminal::write_whole;

/// The files of a submission's folder, and of the class's.
const REPORT: &str = "report.json";
const DIGEST: &str = "digest";
const GRADEBOOK: &str = "grades.csv";
const SUMMARY: &str = "summary.txt";

/// The pages: of a submission, in its folder; and of the class.
const REVIEW: &str = "review.html";
pub const CLASS: &str = "index.html";
const CLASS_FROM_REVIEW: &str = "../index.html";

/// Endings that are no part of a submission's name.
const ARCHIVES: &[&str] = &[".zip", ".tar.gz", ".tgz", ".tar"];

/// Submissions to grade.
pub struct Class {
    submissions: Vec<(String, PathBuf)>,
    /// Where results are kept, if they are.
    out: Option<PathBuf>,
    jobs: usize,
}

/// One that has been graded, now or before.
pub struct Graded {
    pub report: Report,
    /// Was it graded in an earlier run, and has not changed since?
    pub kept: bool,
}

impl Class {
    /// These submissions, so many at a time; results go to a folder for each in `out`.
    ///
    /// # Errors
    /// When one does not exist, or two have the same name.
    pub fn new(sources: Vec<PathBuf>, out: Option<PathBuf>, jobs: usize) -> Result<Self> {
        let mut names = BTreeSet::new();
        let mut submissions = Vec::new();
        for source in sources {
            if !source.exists() {
                bail!("there is no {}", source.display());
            }
            let name = name(&source)?;
            if !names.insert(name.clone()) {
                bail!("two submissions have the name {name}");
            }
            submissions.push((name, source));
        }
        Ok(Self {
            submissions,
            out,
            jobs,
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.submissions.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.submissions.is_empty()
    }

    /// Grades them; `told` hears of each as it is done. The reports come in the order of the submissions. Nothing that one
    /// of them does stops the others.
    ///
    /// # Errors
    /// When results cannot be written; on Ctrl-C, and then what is done is kept.
    pub fn grade(&self, grader: &Grader, told: impl Fn(&Graded) + Sync) -> Result<Vec<Report>> {
        if let Some(out) = &self.out {
            fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
        }
        let next = Mutex::new(self.submissions.iter().enumerate());
        let done = Mutex::new(Vec::new());
        let failed = Mutex::new(None);
        thread::scope(|scope| {
            for _ in 0..self.jobs.min(self.submissions.len()) {
                scope.spawn(|| {
                    loop {
                        let one = next.lock().next();
                        let Some((at, (name, source))) = one else {
                            return;
                        };
                        match self.one_anyway(grader, name, source) {
                            Ok(graded) => {
                                told(&graded);
                                done.lock().push((at, graded.report));
                            }
                            Err(error) => {
                                // The disk is full, say, or Ctrl-C: it will be the same for all others.
                                failed.lock().get_or_insert(error);
                                next.lock().by_ref().for_each(drop);
                            }
                        }
                    }
                });
            }
        });
        if let Some(error) = failed.lock().take() {
            return Err(error);
        }
        wait::check_interrupt()?;
        let mut done = std::mem::take(&mut *done.lock());
        done.sort_by_key(|(at, _)| *at);
        let reports: Vec<Report> = done.into_iter().map(|(_, report)| report).collect();
        if let Some(out) = &self.out {
            let all = self.with_those_before(&reports, out)?;
            write_whole(&out.join(GRADEBOOK), &gradebook(&all)?)?;
            write_whole(&out.join(SUMMARY), Summary(&all).to_string().as_bytes())?;
            write_whole(&out.join(CLASS), class_page(&all, REVIEW).as_bytes())?;
        }
        Ok(reports)
    }

    /// These, and those of which there are results from earlier runs: who comes late is one of the class.
    fn with_those_before(&self, reports: &[Report], out: &Path) -> Result<Vec<Report>> {
        let mut all = reports.to_vec();
        let is_named = |name: &str| self.submissions.iter().any(|(one, _)| one == name);
        for entry in fs::read_dir(out)? {
            let entry = entry?;
            if is_named(&entry.file_name().to_string_lossy()) {
                continue;
            }
            if let Some(mut report) = read_report(&entry.path()) {
                report.checks.iter_mut().for_each(|row| row.seen.clear());
                all.push(report);
            }
        }
        all[reports.len()..].sort_by(|one, other| one.submission.cmp(&other.submission));
        Ok(all)
    }

    /// As [`Class::one`]; a panic over what one submission holds stops no other.
    fn one_anyway(&self, grader: &Grader, name: &str, source: &Path) -> Result<Graded> {
        let graded = catch_unwind(AssertUnwindSafe(|| self.one(grader, name, source)));
        graded.unwrap_or_else(|_| {
            let report = not_judged(name, "the grader gave up on what this submission holds");
            Ok(Graded {
                report,
                kept: false,
            })
        })
    }

    fn one(&self, grader: &Grader, name: &str, source: &Path) -> Result<Graded> {
        wait::check_interrupt()?;
        let intake = Intake::read(source);
        let digest = match &intake {
            Ok(intake) => intake.digest(),
            Err(error) => format!("{error:#}"),
        };
        let digest = format!("{} {digest}", build_of_the_lab());
        let folder = self.out.as_ref().map(|out| out.join(name));
        if let Some(report) = folder.as_deref().and_then(|folder| kept(folder, &digest)) {
            return Ok(Graded { report, kept: true });
        }
        let (mut report, intake) = match intake {
            Ok(intake) => (graded(grader, name, &intake)?, intake),
            Err(error) => (
                nothing_submitted(name, &format!("{error:#}")),
                Intake::default(),
            ),
        };
        if let Some(folder) = folder {
            write(&folder, &digest, &report, &intake).with_context(|| {
                format!(
                    "the results of {name} could not be written to {}; what is there is whole, and the same command goes \
                     on with the rest",
                    folder.display()
                )
            })?;
        }
        // What happened is told with a single submission; of a class it would only be kept in memory.
        if self.submissions.len() > 1 {
            report.checks.iter_mut().for_each(|row| row.seen.clear());
        }
        Ok(Graded {
            report,
            kept: false,
        })
    }
}

/// Tells one build of the lab from another: what has changed in it is seen in all results.
fn build_of_the_lab() -> String {
    let executable = std::env::current_exe().and_then(|path| path.metadata());
    let told = executable.and_then(|file| Ok((file.len(), file.modified()?)));
    let mut hasher = DefaultHasher::new();
    told.ok().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn graded(grader: &Grader, name: &str, intake: &Intake) -> Result<Report> {
    grader.grade(name, intake, |_| {}).or_else(|error| {
        wait::check_interrupt()?;
        Ok(not_judged(name, &format!("{error:#}")))
    })
}

fn name(source: &Path) -> Result<String> {
    let source = std::path::absolute(source)?;
    let name = source.file_name().context("a submission needs a name")?;
    let name = name.to_string_lossy();
    let ending = ARCHIVES.iter().find(|ending| name.ends_with(**ending));
    Ok(name[..name.len() - ending.map_or(0, |ending| ending.len())].to_string())
}

/// The result of an earlier run, if it is whole, still right, and a result.
fn kept(folder: &Path, digest: &str) -> Option<Report> {
    if fs::read_to_string(folder.join(DIGEST)).ok()? != digest {
        return None;
    }
    read_report(folder).filter(Report::is_judged)
}

fn read_report(folder: &Path) -> Option<Report> {
    serde_json::from_slice(&fs::read(folder.join(REPORT)).ok()?).ok()
}

/// Writes all results of a submission into a folder of another name, which then takes the place of what was there.
fn write(folder: &Path, digest: &str, report: &Report, intake: &Intake) -> Result<()> {
    let out = folder.parent().context("no folder for results")?;
    let new = tempfile::Builder::new().prefix(".new-").tempdir_in(out)?;
    let add = |file: &str, text: &str| fs::write(new.path().join(file), text);
    add(REPORT, &serde_json::to_string_pretty(report)?)?;
    // Neither knows of anything but points: without the file nobody has a zero.
    if report.is_judged() {
        add("results.json", &gradescope(report, &intake.left_out)?)?;
        add("result.json", &classroom50(report)?)?;
    }
    add("junit.xml", &junit(report)?)?;
    add(REVIEW, &review(report, intake, Some(CLASS_FROM_REVIEW))?)?;
    add(DIGEST, digest)?;
    fs::set_permissions(new.path(), PermissionsExt::from_mode(0o755))?;
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::rename(new.path(), folder).with_context(|| folder.display().to_string())?;
    let _ = new.keep();
    Ok(())
}

/// Every check with the same verdict.
fn all_checks_are(name: &str, verdict: &Verdict) -> Report {
    let mut judged = Vec::new();
    for task in TASKS {
        let row = |check| Judged::new(check, task.bonus, verdict.clone(), Vec::new());
        judged.extend(task.checks.iter().map(row));
    }
    Report::new(name, Duration::ZERO, judged)
}

fn nothing_submitted(name: &str, why: &str) -> Report {
    let verdict = Verdict::Failed {
        expected: "a student's workspace, or a folder of executables or Python scripts".to_string(),
        saw: why.to_string(),
        hint: "Hand in the folder, or a .zip or .tar.gz of it.".to_string(),
    };
    all_checks_are(name, &verdict)
}

fn not_judged(name: &str, why: &str) -> Report {
    let why = why.to_string();
    all_checks_are(name, &Verdict::NotJudged { why })
}
