//! Judging one submission.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use broker::spent::{Waiting, count_as, lap};
use broker::{Cache, run, wait};
use confine::Confinement;
use judge::programs::PROGRAMS;
use judge::{Pool, Report, Submission, TASKS, Task, judge_and_profile};
use parking_lot::Mutex;

use crate::intake::{Intake, Kind};
use crate::pristine::Pristine;
use crate::python::Python;
use crate::readable::readable_here;

/// How long a program that does nothing may take when it is confined.
const TRIAL_LIMIT: Duration = Duration::from_secs(30);

/// What grading needs, made once: brokers, and a workspace in which sources are built.
#[derive(Default)]
pub struct Grader {
    pub pool: Pool,
    /// Made when the first submission with sources arrives. If that fails, the next such submission tries again.
    pristine: Mutex<Option<Arc<Pristine>>>,
}

impl Grader {
    /// A grader that uses up to so many brokers at the same time, at least one.
    pub fn with_brokers(most: usize) -> Self {
        Self {
            pool: Pool::lending(most),
            ..Self::default()
        }
    }

    /// Fetches and builds everything that grading needs: Kafka, and the crates that submissions depend on. Grading itself
    /// fetches nothing after that.
    ///
    /// # Errors
    /// When something cannot be fetched or built.
    pub fn prepare(&self) -> Result<()> {
        self.pool.lend()?;
        self.pristine().map(drop)
    }

    /// Judges a submission; the report calls it `name`, and says where the time went.
    ///
    /// # Errors
    /// When something of ours fails, so that nothing can be said about the submission, and on Ctrl-C.
    pub fn grade(&self, name: &str, intake: &Intake) -> Result<Report> {
        let start = Instant::now();
        // What this thread has done for other submissions does not count.
        lap();
        // It contains only the submission's own files, because programs may read it.
        let folder = Cache::open()?.scratch()?;
        if confine::are_outsiders() {
            // They can then enter it, but not see which other folders there are.
            fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711))?;
        }
        let programs = folder.path().join(&intake.folder);
        let submission = match intake.kind {
            Kind::Workspace => {
                let _building = count_as(Waiting::Build);
                self.pristine()?.build(intake, folder.path())?
            }
            Kind::Programs => {
                intake.write(folder.path())?;
                // If none of the programs exists, each is judged as not submitted.
                Submission::in_folder(&programs).unwrap_or_default()
            }
        };
        let left_out = |rest: Submission, program: &&str| {
            let files = intake.left_out_of(program);
            rest.left_out(program, files)
        };
        let submission = PROGRAMS.iter().fold(submission, left_out);
        let submission = confined(submission, folder.path(), &programs)?;
        let tasks: Vec<&Task> = TASKS.iter().collect();
        let preparation = lap();
        let (judged, mut profile) = judge_and_profile(&self.pool, &submission, &tasks);
        wait::check_interrupt()?;
        let mut report = Report::new(name, start.elapsed(), judged);
        profile.preparation = preparation;
        report.profile = Some(profile);
        Ok(report)
    }

    fn pristine(&self) -> Result<Arc<Pristine>> {
        let mut pristine = self.pristine.lock();
        if let Some(there) = &*pristine {
            return Ok(there.clone());
        }
        let new = Arc::new(Pristine::prepare()?);
        *pristine = Some(new.clone());
        Ok(new)
    }
}

/// The same submission, in this folder, with its programs in that one. They run confined. A script that this machine cannot run
/// will not be judged.
fn confined(submission: Submission, folder: &Path, programs: &Path) -> Result<Submission> {
    let scripts = submission.scripts();
    let python = match scripts[..] {
        [] => None,
        _ => Some(Python::find()),
    };
    let confinement = confinement(
        folder,
        python.as_ref().and_then(|python| python.as_ref().ok()),
    )?;
    try_out(&confinement)?;
    let submission = submission.confined(confinement.clone());
    match python {
        None => Ok(submission),
        Some(Err(error)) => {
            wait::check_interrupt()?;
            let why = format!("{error:#}");
            let without = |rest: Submission, script: &String| rest.without(script, why.clone());
            Ok(scripts.iter().fold(submission, without))
        }
        Some(Ok(python)) => {
            let lacking = python.lacks(programs, &scripts, &confinement)?;
            let without =
                |rest: Submission, (program, why): (String, String)| rest.without(&program, why);
            let submission = lacking.into_iter().fold(submission, without);
            Ok(submission.with_python(python.executable))
        }
    }
}

/// Checks that programs can be confined on this machine. If they cannot, it is not the submission's fault.
fn try_out(confinement: &Confinement) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut nothing = confine::confined(&Command::new("true"), confinement)?;
    let output = run(nothing.current_dir(folder.path()), TRIAL_LIMIT)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "programs cannot be confined on this machine: {}",
            said.trim()
        );
    }
    Ok(())
}

/// What the programs in this folder may read.
fn confinement(folder: &Path, python: Option<&Python>) -> Result<Confinement> {
    let mut readable = vec![folder.to_path_buf()];
    let mut variables = Vec::new();
    if let Some(python) = python {
        readable.extend(python.readable());
        let user_base = python.user_base.display().to_string();
        variables.push(("PYTHONUSERBASE".to_string(), user_base));
    }
    readable.extend(readable_here()?);
    Ok(Confinement {
        readable,
        variables,
        as_nobody: true,
        ..Confinement::default()
    })
}
