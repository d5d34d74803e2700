//! `cargo lab check`: judges a student's own programs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use broker::wait;
use console::style;
use judge::programs::handed_out::will_be_left_out;
use judge::programs::workspace;
use judge::{
    Judged, Outcome, Points, Pool, Report, Submission, Task, json_lines, judge, judge_and_record,
};
use pages::report_page;
use terminal::{
    ProgressBar, Usage, ensure_writable, exit_code, print_verdicts, sign, write_history, write_page,
};

use crate::task_number;
use crate::{progress, rejudge};

/// The tasks to judge, and where their programs are.
pub struct Selection {
    tasks: Vec<&'static Task>,
    /// The folder of the programs; `None` for the programs of this workspace.
    folder: Option<PathBuf>,
}

impl Selection {
    /// The task of this number, or all tasks; the programs in this folder, or those of this workspace.
    ///
    /// # Errors
    /// [`Usage`], if there is no such task.
    pub fn new(task: Option<u32>, folder: Option<PathBuf>) -> Result<Self> {
        let tasks = task_number::tasks(task)?;
        Ok(Self { tasks, folder })
    }

    /// The same selection, with only the tasks that have one of these programs.
    pub fn only(&self, programs: &[String]) -> Self {
        let has_one = |task: &&&Task| {
            let mut of_task = task.programs.iter();
            of_task.any(|program| programs.iter().any(|wanted| wanted == program))
        };
        Self {
            tasks: self.tasks.iter().filter(has_one).copied().collect(),
            folder: self.folder.clone(),
        }
    }

    /// The names of the programs of its tasks.
    pub fn programs(&self) -> Vec<&'static str> {
        self.tasks
            .iter()
            .flat_map(|task| task.programs)
            .copied()
            .collect()
    }

    /// Are there no tasks to judge?
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The folder of the programs, if the user named one.
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

/// How the verdicts are presented.
pub struct Output {
    /// As one JSON object on standard output, instead of text.
    pub json: bool,
    /// Also as a page in this file.
    pub page: Option<PathBuf>,
    /// Also all that happened, as JSON Lines in this file.
    pub history: Option<PathBuf>,
}

/// Judges the selection. With `watch`, judges its tasks again whenever one of their programs changes.
pub fn check(selection: &Selection, output: &Output, watch: bool) -> Result<ExitCode> {
    ensure_writable(output.page.as_deref())?;
    ensure_writable(output.history.as_deref())?;
    let pool = Pool::default();
    if watch {
        return rejudge::rejudge(selection, |part| run(&pool, part, output).map(drop));
    }
    run(&pool, selection, output)
}

fn run(pool: &Pool, selection: &Selection, output: &Output) -> Result<ExitCode> {
    let start = Instant::now();
    let submission = std::thread::scope(|scope| {
        // A broker starts while Cargo builds the programs.
        scope.spawn(|| pool.warm());
        selection.submission()
    })?;
    let all = selection.tasks.iter().map(|task| task.checks.len()).sum();
    let bar = ProgressBar::new(all, "judged");
    let on_verdict = |row: &Judged| {
        if !output.json && !wait::interrupted() {
            bar.println(format!("{} {}. {}", sign(row.outcome), row.task, row.title));
        }
        bar.one_more();
    };
    let (judged, recorded) = match output.history {
        Some(_) => judge_and_record(pool, &submission, &selection.tasks, on_verdict),
        None => {
            let judged = judge(pool, &submission, &selection.tasks, on_verdict);
            (judged, Vec::new())
        }
    };
    bar.clear();
    wait::check_interrupt()?;
    if selection.folder.is_none() {
        progress::note_results(&selection.tasks, &judged)?;
    }

    let name = selection.folder.as_deref().unwrap_or(workspace());
    let report = Report::new(name.display().to_string(), start.elapsed(), judged);
    if output.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print_verdicts(&report.checks);
        let points = Points::of(&report.checks);
        let line = format!("{points}, after {:.0} s.", report.seconds);
        println!("\n{}", style(line).bold());
        advise(selection, &report.checks);
    }
    if selection.folder.is_none() {
        warn_of_what_is_not_graded()?;
    }
    if let Some(page) = &output.page {
        write_page(page, &report_page(&report))?;
    }
    if let Some(history) = &output.history {
        write_history(history, &json_lines(&recorded))?;
    }
    Ok(exit_code(&[report]))
}

/// Says which changes of the student count here, but not when the programs are graded.
fn warn_of_what_is_not_graded() -> Result<()> {
    let files = will_be_left_out()?;
    if !files.is_empty() {
        let names: Vec<String> = files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        eprintln!(
            "Not graded: {}. Grading takes only what is in the folder `src` of each program, with the crates that were handed \
             out. Undo these changes, or move them there.",
            names.join(", ")
        );
    }
    Ok(())
}

/// Says what the student can do next.
fn advise(selection: &Selection, judged: &[Judged]) {
    if selection.folder.is_some() {
        return;
    }
    let failed = selection.tasks.iter().find(|task| {
        let mut rows = judged.iter();
        rows.any(|row| row.task == task.number && row.outcome == Outcome::Failed)
    });
    match failed {
        Some(task) => println!(
            "If you are stuck, `cargo lab hint {n}` gives a hint for task {n}.",
            n = task.number
        ),
        None if judged.iter().all(Judged::passed) && workspace().join("solutions").exists() => {
            println!("`cargo lab hint TASK` now shows how the solution differs from your program.");
        }
        None => {}
    }
}
