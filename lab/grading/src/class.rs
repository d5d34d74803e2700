//! Grading a class: several submissions at a time, and each of them independent of the others.

use std::collections::BTreeSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::thread;

use anyhow::{Error, Result, bail};
use broker::wait;
use judge::Report;
use parking_lot::Mutex;

use crate::grader::Grader;
use crate::intake::{Intake, name_of};
use crate::judgment::Judgment;
use crate::platform_files::is_of_platform;
use crate::results::{Results, digest};
use crate::roster::Roster;
use crate::uniform_report::{not_judged, nothing_submitted};

/// Submissions to grade.
pub struct Class {
    pub(crate) submissions: Vec<Submitted>,
    /// The files among the submissions that are not submissions, by name.
    pub skipped: Vec<String>,
    /// The folder for the results, if they are kept.
    pub(crate) out: Option<PathBuf>,
    /// How many are graded at a time.
    roster: Option<Roster>,
    jobs: usize,
}

/// A submission, as the student submitted it.
pub(crate) struct Submitted {
    /// Its name in reports.
    pub(crate) name: String,
    /// The folder or archive.
    pub(crate) source: PathBuf,
}

/// A submission that has been graded, in this run or in an earlier one.
pub struct Graded {
    pub report: Report,
    /// The files that the report is about, as they were read for grading. Empty if they could not be read: then the report
    /// says why.
    pub intake: Intake,
    /// Whether the report is from an earlier run, because nothing has changed since.
    pub kept: bool,
}

impl Graded {
    fn now(report: Report, intake: Intake) -> Self {
        Self {
            report,
            intake,
            kept: false,
        }
    }

    /// Drops everything but the verdicts: the rest of a whole class would fill the memory.
    fn drop_details(&mut self) {
        self.intake = Intake::default();
        let rows = self.report.checks.iter_mut();
        rows.for_each(|row| row.seen.clear());
    }
}

/// Judges the files of a submission, by its name in the report.
pub(crate) type Judge<'a> = &'a (dyn Fn(&str, &Intake) -> Result<Judgment> + Sync);

/// Is called with each submission as soon as it is graded.
pub(crate) type Done<'a> = &'a (dyn Fn(&Graded) + Sync);

/// The places of the submissions, in the order in which they are graded. It may wait for the next one.
pub(crate) type Order<'a> = &'a mut (dyn Iterator<Item = Result<usize>> + Send);

impl Class {
    /// These submissions, `jobs` of them at a time. If there is a folder `out`, the results are kept there. Among several
    /// submissions, the files that a learning platform has added are skipped.
    ///
    /// # Errors
    /// When a submission does not exist, when two have the same name, or when all of them are skipped.
    pub fn new(sources: Vec<PathBuf>, out: Option<PathBuf>, jobs: usize) -> Result<Self> {
        let mut names = BTreeSet::new();
        let mut submissions = Vec::new();
        let mut skipped = Vec::new();
        let is_class = sources.len() > 1;
        for source in sources {
            if !source.exists() {
                bail!("there is no file or folder {}", source.display());
            }
            if is_class && is_of_platform(&source) {
                skipped.push(source.display().to_string());
                continue;
            }
            let name = name_of(&source)?;
            if !names.insert(name.clone()) {
                bail!(
                    "two submissions have the name {name}. Rename one of them, because its name identifies a submission in \
                     the results"
                );
            }
            submissions.push(Submitted { name, source });
        }
        if submissions.is_empty() {
            bail!("none of these is a submission: {}", skipped.join(", "));
        }
        Ok(Self {
            submissions,
            skipped,
            out,
            roster: None,
            jobs,
        })
    }

    /// The same class. Its gradebook begins with the columns of this roster.
    #[must_use]
    pub fn with_roster(self, roster: Option<Roster>) -> Self {
        Self { roster, ..self }
    }

    /// The number of submissions.
    pub fn len(&self) -> usize {
        self.submissions.len()
    }

    /// Is there no submission?
    pub fn is_empty(&self) -> bool {
        self.submissions.is_empty()
    }

    /// Grades the submissions and returns them in the order in which they were given. `done` is called with each as soon as it
    /// is graded. If there are several, only their verdicts are returned, without their files and without what happened.
    ///
    /// # Errors
    /// When results cannot be written, and on Ctrl-C. The results that were written until then are kept.
    pub fn grade(&self, grader: &Grader, done: impl Fn(&Graded) + Sync) -> Result<Vec<Graded>> {
        let judge = |name: &str, intake: &Intake| Ok(grader.grade(name, intake)?.into());
        self.grade_by(&mut (0..self.len()).map(Ok), &judge, &done)
    }

    /// Grades the submissions in this order, as `judge` judges them, and writes the results.
    pub(crate) fn grade_by(&self, order: Order, judge: Judge, done: Done) -> Result<Vec<Graded>> {
        let results = self.out.as_deref().map(Results::in_folder).transpose()?;
        let graded = self.grade_side_by_side(order, judge, results.as_ref(), done)?;
        if let Some(results) = results {
            let reports = graded.iter().map(|one| one.report.clone());
            results.write_class(&reports.collect::<Vec<_>>(), self.roster.as_ref())?;
        }
        Ok(graded)
    }

    /// Grades the submissions, `jobs` of them at a time.
    fn grade_side_by_side(
        &self,
        order: Order,
        judge: Judge,
        results: Option<&Results>,
        done: Done,
    ) -> Result<Vec<Graded>> {
        let order = Mutex::new(order);
        let graded = Mutex::new(Vec::new());
        let failed = Mutex::new(None);
        let grade_next = |at: usize| -> Result<()> {
            let mut one = self.submissions[at].grade_anyway(judge, results)?;
            done(&one);
            if self.len() > 1 {
                one.drop_details();
            }
            graded.lock().push((at, one));
            Ok(())
        };
        let work = || {
            // After a full disk or Ctrl-C, for example, all other submissions would fail in the same way.
            while failed.lock().is_none() {
                let taken = order.lock().next();
                let Some(at) = taken else { return };
                if let Err(error) = at.and_then(grade_next) {
                    failed.lock().get_or_insert(error);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..self.jobs.min(self.len()) {
                scope.spawn(work);
            }
        });
        if let Some(error) = failed.into_inner() {
            return Err(error);
        }
        wait::check_interrupt()?;
        let mut graded = graded.into_inner();
        graded.sort_by_key(|(at, _)| *at);
        Ok(graded.into_iter().map(|(_, one)| one).collect())
    }
}

impl Submitted {
    /// The same as [`Submitted::grade`], but if something in the submission makes us panic, it counts as not judged, and the
    /// other submissions are still graded.
    fn grade_anyway(&self, judge: Judge, results: Option<&Results>) -> Result<Graded> {
        let graded = catch_unwind(AssertUnwindSafe(|| self.grade(judge, results)));
        graded.unwrap_or_else(|_| {
            let report = not_judged(
                &self.name,
                "the grader crashed on this submission; its message is on standard error",
            );
            Ok(Graded::now(report, Intake::default()))
        })
    }

    fn grade(&self, judge: Judge, results: Option<&Results>) -> Result<Graded> {
        wait::check_interrupt()?;
        let name = &self.name;
        let read = Intake::read(&self.source);
        let digest = digest(&read);
        if let Some(report) = results.and_then(|results| results.kept(name, &digest)) {
            return Ok(Graded {
                report,
                intake: read.unwrap_or_default(),
                kept: true,
            });
        }
        let (judgment, intake) = match read {
            Ok(intake) => (judged(judge, name, &intake)?, intake),
            Err(error) => {
                let why = format!("{error:#}");
                let report = if is_refused(&error) {
                    not_judged(
                        name,
                        &format!("{why}. Make it readable, and grade it again"),
                    )
                } else {
                    nothing_submitted(name, &why)
                };
                (report.into(), Intake::default())
            }
        };
        if let Some(results) = results {
            results.write(name, &digest, &judgment, &intake)?;
        }
        Ok(Graded::now(judgment.report, intake))
    }
}

/// Did the system refuse to read a file? If only what is in the file is wrong, the error has no number of the system's.
fn is_refused(error: &Error) -> bool {
    let mut causes = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.raw_os_error().is_some())
}

/// The report on these files. If something of ours fails, none of the checks is judged.
///
/// # Errors
/// On Ctrl-C.
pub(crate) fn judged(judge: Judge, name: &str, intake: &Intake) -> Result<Judgment> {
    if let Some(over) = wait::deadline_over() {
        return Ok(not_judged(name, &over.to_string()).into());
    }
    judge(name, intake).or_else(|error| {
        wait::check_interrupt()?;
        Ok(not_judged(name, &format!("{error:#}")).into())
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;
    use crate::review::review;

    /// A folder with a script, and the class of this one submission.
    fn class_of_one(script: &str) -> (TempDir, PathBuf, Class) {
        let folder = TempDir::new().unwrap();
        let submission = folder.path().join("student");
        fs::create_dir(&submission).unwrap();
        fs::write(submission.join("producer.py"), script).unwrap();
        let class = Class::new(vec![submission.clone()], None, 1).unwrap();
        (folder, submission, class)
    }

    fn page(class: &Class, judge: Judge) -> String {
        let order = &mut (0..class.len()).map(Ok);
        let graded = class.grade_by(order, judge, &|_| {}).unwrap();
        review(&graded[0].report, &graded[0].intake, None).unwrap()
    }

    #[test]
    fn the_page_shows_the_code_that_was_graded_even_if_the_folder_changes_meanwhile() {
        let (_folder, submission, class) = class_of_one("print('what_was_graded')\n");
        let page = page(&class, &|name, _| {
            fs::write(submission.join("producer.py"), "print('what_came_later')\n")?;
            Ok(not_judged(name, "for this test").into())
        });
        assert!(page.contains("what_was_graded"));
        assert!(!page.contains("what_came_later"));
    }

    #[test]
    fn the_page_shows_the_code_that_was_graded_even_if_the_folder_vanishes_meanwhile() {
        let (_folder, submission, class) = class_of_one("print('what_was_graded')\n");
        let page = page(&class, &|name, _| {
            fs::remove_dir_all(&submission)?;
            Ok(not_judged(name, "for this test").into())
        });
        assert!(page.contains("what_was_graded"));
    }

    #[test]
    fn the_page_of_a_submission_that_cannot_be_read_says_why() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("student.txt");
        fs::write(&file, "no submission").unwrap();
        let class = Class::new(vec![file], None, 1).unwrap();
        let page = page(&class, &|_, _| bail!("nothing to judge"));
        assert!(page.contains("student.txt cannot be read: it is neither a folder nor an archive"));
    }

    #[test]
    fn files_of_a_platform_among_submissions_are_skipped_and_named() {
        let (folder, submission, _) = class_of_one("print('there')\n");
        let grades = folder.path().join("grades.csv");
        fs::write(&grades, "").unwrap();
        let class = Class::new(vec![grades.clone(), submission], None, 1).unwrap();
        assert_eq!((class.len(), class.skipped.len()), (1, 1));
        assert!(class.skipped[0].ends_with("grades.csv"));
        let error = Class::new(vec![grades.clone(), grades], None, 1).err();
        let error = error.unwrap().to_string();
        assert!(error.contains("none of these is a submission"), "{error}");
    }

    #[test]
    fn of_several_submissions_only_the_verdicts_are_returned() {
        let (_one, first, _) = class_of_one("print('first')\n");
        let (_other, second, _) = class_of_one("print('second')\n");
        let renamed = second.with_file_name("other");
        fs::rename(second, &renamed).unwrap();
        let class = Class::new(vec![first, renamed], None, 2).unwrap();
        let has_script = |one: &Graded| one.intake.text(Path::new("producer.py")).is_some();
        let order = &mut (0..class.len()).map(Ok);
        let graded = class
            .grade_by(
                order,
                &|name, _| Ok(not_judged(name, "for this test").into()),
                &|one| {
                    assert!(has_script(one));
                },
            )
            .unwrap();
        assert!(!graded.iter().any(has_script));
        let names: Vec<&str> = graded.iter().map(|one| &*one.report.submission).collect();
        assert_eq!(names, ["student", "other"]);
    }
}
