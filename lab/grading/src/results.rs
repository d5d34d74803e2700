//! The results that `--out DIR` keeps: a folder for each submission, and three files about the class.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use judge::Report;
use pages::class_page;
use terminal::write_atomically;

use crate::formats::{classroom50, gradebook, gradescope, junit, prairielearn};
use crate::intake::Intake;
use crate::judgment::Judgment;
use crate::lab_digest::lab_digest;
use crate::roster::Roster;
use crate::summary::Summary;

/// The files in a submission's folder.
const REPORT: &str = "report.json";
const GRADESCOPE: &str = "results.json";
const CLASSROOM50: &str = "result.json";
const PRAIRIELEARN: &str = "prairielearn.json";
const JUNIT: &str = "junit.xml";
const REVIEW: &str = "review.html";
const DIGEST: &str = "digest";

/// The files about the class.
const GRADEBOOK: &str = "grades.csv";
const SUMMARY: &str = "summary.txt";
pub const INDEX: &str = "index.html";

/// How the name of a folder begins while it is being written.
const UNFINISHED: &str = ".new-";

/// The folder of results.
pub struct Results {
    folder: PathBuf,
}

impl Results {
    /// The results in this folder, which is created if it does not exist.
    ///
    /// # Errors
    /// When the folder cannot be created.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| {
            format!(
                "the folder for the results, {}, cannot be created",
                folder.display()
            )
        })?;
        Ok(Self {
            folder: folder.to_path_buf(),
        })
    }

    /// The report of an earlier run on this submission. There is none if the digest is different now, or if something could
    /// not be judged.
    pub fn kept(&self, name: &str, digest: &str) -> Option<Report> {
        let folder = self.folder.join(name);
        if fs::read_to_string(folder.join(DIGEST)).ok()? != digest {
            return None;
        }
        read_report(&folder).filter(Report::is_judged)
    }

    /// Writes the results of a submission. Its folder appears under its name when it is complete, and replaces the folder of
    /// an earlier run.
    ///
    /// # Errors
    /// When something cannot be written. Then no incomplete folder is left under the submission's name.
    pub fn write(
        &self,
        name: &str,
        digest: &str,
        judgment: &Judgment,
        intake: &Intake,
    ) -> Result<()> {
        let folder = self.folder.join(name);
        self.replace(&folder, digest, judgment, intake)
            .with_context(|| {
                format!(
                    "the results of {name} could not be written to {} (the results that are there are complete; run the same \
                     command again to grade the rest)",
                    folder.display()
                )
            })
    }

    fn replace(
        &self,
        folder: &Path,
        digest: &str,
        judgment: &Judgment,
        intake: &Intake,
    ) -> Result<()> {
        let report = &judgment.report;
        let new = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempdir_in(&self.folder)?;
        let add = |file: &str, text: &str| fs::write(new.path().join(file), text);
        add(REPORT, &serde_json::to_string_pretty(report)?)?;
        // These two can only hold points. Without the file, nobody gets a zero for a check that could not be judged.
        if report.is_judged() {
            add(GRADESCOPE, &gradescope(report, &intake.left_out())?)?;
            add(CLASSROOM50, &classroom50(report)?)?;
        }
        add(PRAIRIELEARN, &prairielearn(report)?)?;
        add(JUNIT, &junit(report)?)?;
        add(REVIEW, &judgment.review(intake)?)?;
        add(DIGEST, digest)?;
        fs::set_permissions(new.path(), PermissionsExt::from_mode(0o755))?;
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::rename(new.path(), folder).with_context(|| folder.display().to_string())?;
        let _ = new.keep();
        Ok(())
    }

    /// Writes the gradebook, the summary and the index. They cover these submissions, and all others that have results from
    /// earlier runs, so late submissions can be graded separately.
    ///
    /// # Errors
    /// When a file cannot be written, or the folder cannot be read.
    pub fn write_class(&self, reports: &[Report], roster: Option<&Roster>) -> Result<()> {
        let mut all = reports.to_vec();
        all.extend(self.of_others(reports)?);
        let write = |file: &str, bytes: &[u8]| write_atomically(&self.folder.join(file), bytes);
        write(GRADEBOOK, &gradebook(&all, roster)?)?;
        write(SUMMARY, Summary(&all).to_string().as_bytes())?;
        write(INDEX, class_page(&all, REVIEW).as_bytes())
    }

    /// The reports of submissions that were graded in earlier runs and are not among these, sorted by name.
    fn of_others(&self, reports: &[Report]) -> Result<Vec<Report>> {
        let is_new = |name: &str| reports.iter().any(|report| report.submission == name);
        let mut others = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // A grader that was killed may have left an unfinished folder.
            if !is_new(&name) && !name.starts_with(UNFINISHED) {
                others.extend(read_report(&entry.path()));
            }
        }
        others.sort_by(|one, other| one.submission.cmp(&other.submission));
        Ok(others)
    }
}

fn read_report(folder: &Path) -> Option<Report> {
    serde_json::from_slice(&fs::read(folder.join(REPORT)).ok()?).ok()
}

/// What an earlier result depends on: the submission, and this lab. A submission that could not be read is represented by the
/// error.
pub fn digest(intake: &Result<Intake>) -> String {
    let submission = match intake {
        Ok(intake) => intake.digest(),
        Err(error) => format!("{error:#}"),
    };
    format!("{} {submission}", lab_digest())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::uniform_report::{not_judged, nothing_submitted};

    fn results() -> (TempDir, Results) {
        let folder = TempDir::new().unwrap();
        let results = Results::in_folder(&folder.path().join("out")).unwrap();
        (folder, results)
    }

    fn write(results: &Results, digest: &str, report: &Report) {
        results
            .write(
                &report.submission,
                digest,
                &report.clone().into(),
                &Intake::default(),
            )
            .unwrap();
    }

    #[test]
    fn a_result_is_kept_until_the_digest_changes() {
        let (_folder, results) = results();
        assert!(results.kept("jane", "digest").is_none());
        write(
            &results,
            "digest",
            &nothing_submitted("jane", "for this test"),
        );
        let kept = results.kept("jane", "digest").unwrap();
        assert_eq!(kept.checks[0].saw, "for this test");
        assert!(results.kept("jane", "other digest").is_none());
    }

    #[test]
    fn a_result_that_was_not_judged_is_not_kept_and_has_no_points() {
        let (folder, results) = results();
        write(&results, "digest", &not_judged("jane", "for this test"));
        assert!(results.kept("jane", "digest").is_none());
        let jane = folder.path().join("out/jane");
        assert!(jane.join(REPORT).exists() && jane.join(JUNIT).exists());
        assert!(!jane.join(GRADESCOPE).exists() && !jane.join(CLASSROOM50).exists());
    }

    #[test]
    fn the_class_has_those_of_earlier_runs_but_no_unfinished_folders() {
        let (folder, results) = results();
        let report = |name| nothing_submitted(name, "for this test");
        write(&results, "digest", &report("early"));
        let out = folder.path().join("out");
        let unfinished = out.join(format!("{UNFINISHED}1"));
        fs::create_dir(&unfinished).unwrap();
        fs::copy(out.join("early").join(REPORT), unfinished.join(REPORT)).unwrap();
        results.write_class(&[report("late")], None).unwrap();
        let gradebook = fs::read_to_string(out.join(GRADEBOOK)).unwrap();
        let names: Vec<&str> = gradebook
            .lines()
            .filter_map(|line| line.split(',').next())
            .collect();
        assert_eq!(names, ["submission", "late", "early"]);
    }
}
