//! `cargo lab check --watch`: judges a task again whenever one of its programs changes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result};
use broker::wait;
use cluster::printable;
use console::style;
use judge::programs::{PROGRAMS, workspace};
use notify_debouncer_mini::notify::RecursiveMode;
use notify_debouncer_mini::{DebounceEventResult, new_debouncer};

use crate::check::Selection;

/// Editors write a file in several steps. This long after the last step, the file counts as written.
const SETTLED: Duration = Duration::from_millis(200);

/// How often the loop checks for Ctrl-C.
const GLANCE: Duration = Duration::from_millis(100);

/// Judges the selection. Then, until Ctrl-C, judges each of its tasks again whenever one of its programs changes.
///
/// # Errors
/// When the files of the programs cannot be watched, and on Ctrl-C while a task is judged.
pub fn rejudge(
    selection: &Selection,
    judge: impl Fn(&Selection) -> Result<()>,
) -> Result<ExitCode> {
    let (changes, changed) = channel();
    let mut debouncer = new_debouncer(SETTLED, move |result: DebounceEventResult| {
        // Sending fails only if nobody receives any more, because this process is about to end.
        let _ = changes.send(result);
    })?;
    for folder in folders(selection) {
        debouncer
            .watcher()
            .watch(&folder, RecursiveMode::Recursive)
            .with_context(|| format!("{} cannot be watched for changes", folder.display()))?;
    }

    let mut next = selection.only(&owned(&selection.programs()));
    loop {
        if let Err(error) = judge(&next) {
            wait::check_interrupt()?;
            eprintln!("Error: {}", printable(&format!("{error:#}")));
        }
        println!(
            "\n{}",
            style("Waiting for you to save a program. Press Ctrl-C to end.").dim()
        );
        next = loop {
            let paths = match changed.recv_timeout(GLANCE) {
                Ok(Ok(events)) => events.into_iter().map(|event| event.path).collect(),
                Ok(Err(error)) => {
                    return Err(error)
                        .context("the files of your programs can no longer be watched; run the command again");
                }
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return Ok(ExitCode::SUCCESS),
            };
            if wait::interrupted() {
                return Ok(ExitCode::SUCCESS);
            }
            let changed = selection.only(&programs_of(&paths));
            if !changed.is_empty() {
                break changed;
            }
        };
        println!(
            "\n{}",
            style(format!("Changed: {}", next.programs().join(", "))).bold()
        );
    }
}

/// The folders whose changes matter.
fn folders(selection: &Selection) -> Vec<PathBuf> {
    if let Some(folder) = selection.folder() {
        return vec![folder.to_path_buf()];
    }
    let crates = selection.programs().into_iter().chain(["common"]);
    crates
        .map(|name| workspace().join(name).join("src"))
        .collect()
}

/// The names of the programs that these files belong to. The files of `common` belong to all programs.
fn programs_of(paths: &[PathBuf]) -> Vec<String> {
    let mut programs: BTreeSet<&&str> = BTreeSet::new();
    for path in paths {
        let in_workspace = path.strip_prefix(workspace()).ok();
        let folder = in_workspace.and_then(|path| path.iter().next());
        if folder.is_some_and(|folder| folder == "common") {
            return owned(PROGRAMS);
        }
        for name in [folder, path.file_stem()].into_iter().flatten() {
            programs.extend(PROGRAMS.iter().filter(|program| Path::new(program) == name));
        }
    }
    owned(&programs.into_iter().copied().collect::<Vec<_>>())
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}
