//! What a student has done so far: which hints were shown, and which tasks have passed.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use judge::programs::workspace;
use judge::{Judged, Task};
use serde::{Deserialize, Serialize};

/// The progress in each task, by task number.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Progress {
    /// The number of hints that were shown.
    pub hints: BTreeMap<u32, usize>,
    /// The source files with which every check of the task passed.
    passed: BTreeMap<u32, Vec<String>>,
}

impl Progress {
    /// Reads the progress from its file. If the file is missing or not valid, there is no progress: then a few hints are shown a
    /// second time.
    pub fn load() -> Self {
        let text = fs::read_to_string(file()).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Writes the progress to its file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self) -> Result<()> {
        let file = file();
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&file, serde_json::to_string(self)?)
            .with_context(|| format!("{} could not be written", file.display()))
    }

    /// Did every check of this task pass with the current source files?
    pub fn has_passed(&self, task: &Task) -> bool {
        self.passed.get(&task.number) == Some(&sources(task))
    }
}

/// Remembers which of these tasks have passed.
///
/// # Errors
/// When the file of the progress cannot be written.
pub fn note_results(tasks: &[&Task], judged: &[Judged]) -> Result<()> {
    let mut progress = Progress::load();
    for task in tasks {
        let mut rows = judged.iter().filter(|row| row.task == task.number);
        if rows.all(Judged::passed) {
            progress.passed.insert(task.number, sources(task));
        } else {
            progress.passed.remove(&task.number);
        }
    }
    progress.save()
}

fn file() -> PathBuf {
    workspace().join("target/lab/progress.json")
}

/// The paths of the source files of a task's programs.
pub fn files(task: &Task) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for program in task.programs {
        let folder = workspace().join(program).join("src");
        let entries = fs::read_dir(folder).into_iter().flatten();
        files.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
    }
    files.sort();
    files
}

/// The texts of the source files of a task's programs.
fn sources(task: &Task) -> Vec<String> {
    let files = files(task).into_iter();
    files
        .map(|file| fs::read_to_string(file).unwrap_or_default())
        .collect()
}
