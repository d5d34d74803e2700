//! `cargo lab check`: a student's own programs against the checks.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use broker::wait;
use console::style;
use judge::programs::workspace;
use judge::{Judged, Outcome, Pool, Report, Submission, Task, judge};
use pages::report_page;
use terminal::{ProgressBar, Usage, ensure_writable, exit_code, print_verdicts, sign, write_page};

use crate::task_number;
use crate::{progress, rejudge};

/// What to judge.
pub struct What {
    tasks: Vec<&'static Task>,
    folder: Option<PathBuf>,
}

impl What {
    /// This task, or all; the programs in this folder, or those of the workspace.
    ///
    /// # Errors
    /// When there is no such task.
    pub fn new(task: Option<u32>, folder: Option<PathBuf>) -> Result<Self> {
        let tasks = task_number::tasks(task)?;
        Ok(Self { tasks, folder })
    }

    /// Only the tasks of these programs.
    pub fn only(&self, programs: &[String]) -> Self {
        let concerns = |task: &&&Task| {
            let mut of_task = task.programs.iter();
            of_task.any(|program| programs.iter().any(|changed| changed == program))
        };
        Self {
            tasks: self.tasks.iter().filter(concerns).copied().collect(),
            folder: self.folder.clone(),
        }
    }

    /// The programs of these tasks.
    pub fn programs(&self) -> Vec<&'static str> {
        self.tasks
            .iter()
            .flat_map(|task| task.programs)
            .copied()
            .collect()
    }

    /// Is there nothing to judge?
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The folder that was named, if one was.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    fn submission(&self) -> Result<Submission> {
        match &self.folder {
            Some(folder) => {
                Submission::in_folder(folder).map_err(|error| Usage(format!("{error:#}")).into())
            }
            None => Submission::build_own(&self.programs()),
        }
    }
}

/// How it is told.
pub struct Told {
    /// One JSON object on standard output.
    pub json: bool,
    /// A page besides.
    pub page: Option<PathBuf>,
}

pub fn check(what: &What, told: &Told, watch: bool) -> Result<ExitCode> {
    ensure_writable(told.page.as_deref())?;
    let pool = Pool::default();
    if watch {
        return rejudge::rejudge(what, |what| run(&pool, what, told).map(drop));
    }
    run(&pool, what, told)
}

fn run(pool: &Pool, what: &What, told: &Told) -> Result<ExitCode> {
    let start = Instant::now();
    let submission = std::thread::scope(|scope| {
        // A broker starts while Cargo builds.
        scope.spawn(|| pool.warm());
        what.submission()
    })?;
    let all = what.tasks.iter().map(|task| task.checks.len()).sum();
    let bar = ProgressBar::new(all, "judged");
    let judged = judge(pool, &submission, &what.tasks, |row| {
        if !told.json && !wait::interrupted() {
            bar.println(format!("{} {}. {}", sign(row.verdict), row.task, row.title));
        }
        bar.one_more();
    });
    bar.clear();
    wait::check_interrupt()?;
    if what.folder.is_none() {
        progress::note_results(&what.tasks, &judged)?;
    }

    let name = what.folder.as_deref().unwrap_or(workspace());
    let report = Report::new(name.display().to_string(), start.elapsed(), judged);
    if told.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print_verdicts(&report.checks);
        println!("\n{}", style(&report).bold());
        advise(what, &report.checks);
    }
    if let Some(page) = &told.page {
        write_page(page, &report_page(&report))?;
    }
    Ok(exit_code(&[report]))
}

/// What a student might do next.
fn advise(what: &What, judged: &[Judged]) {
    if what.folder.is_some() {
        return;
    }
    let failed = what.tasks.iter().find(|task| {
        let mut rows = judged.iter();
        rows.any(|row| row.task == task.number && row.verdict == Outcome::Failed)
    });
    match failed {
        Some(task) => println!(
            "Stuck? `cargo lab hint {n}` gives a hint for task {n}.",
            n = task.number
        ),
        None if judged.iter().all(Judged::passed) && workspace().join("solutions").exists() => {
            println!(
                "`cargo lab hint <task>` now shows how the solution differs from what you wrote."
            );
        }
        None => {}
    }
}
