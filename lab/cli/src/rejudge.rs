//! `cargo lab check --watch`: judges the tasks whose programs have changed, each time they do.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result};
use broker::wait;
use console::style;
use judge::programs::{PROGRAMS, workspace};
use notify_debouncer_mini::notify::RecursiveMode;
use notify_debouncer_mini::{DebounceEventResult, new_debouncer};

use crate::check::What;

/// Editors write a file in several steps; so long after the last one it counts as written.
const SETTLED: Duration = Duration::from_millis(200);

/// How often Ctrl-C is looked for.
const GLANCE: Duration = Duration::from_millis(100);

pub fn rejudge(what: &What, judge: impl Fn(&What) -> Result<()>) -> Result<ExitCode> {
    let (changes, changed) = channel();
    let mut debouncer = new_debouncer(SETTLED, move |result: DebounceEventResult| {
        // Nobody listens any more: we are about to end.
        let _ = changes.send(result);
    })?;
    for folder in folders(what) {
        debouncer
            .watcher()
            .watch(&folder, RecursiveMode::Recursive)
            .with_context(|| format!("{} cannot be watched", folder.display()))?;
    }

    let mut next = what.only(&owned(&what.programs()));
    loop {
        if let Err(error) = judge(&next) {
            wait::check_interrupt()?;
            eprintln!("Error: {error:#}");
        }
        println!(
            "\n{}",
            style("Waiting for you to save a program. Ctrl-C ends this.").dim()
        );
        next = loop {
            let paths = match changed.recv_timeout(GLANCE) {
                Ok(Ok(events)) => events.into_iter().map(|event| event.path).collect(),
                Ok(Err(error)) => {
                    return Err(error).context("the files cannot be watched any more");
                }
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return Ok(ExitCode::SUCCESS),
            };
            if wait::interrupted() {
                return Ok(ExitCode::SUCCESS);
            }
            let concerned = what.only(&programs_of(&paths));
            if !concerned.is_empty() {
                break concerned;
            }
        };
        println!(
            "\n{}",
            style(format!("Changed: {}", next.programs().join(", "))).bold()
        );
    }
}

fn folders(what: &What) -> Vec<PathBuf> {
    if let Some(folder) = what.folder() {
        return vec![folder.to_path_buf()];
    }
    let crates = what.programs().into_iter().chain(["common"]);
    crates
        .map(|name| workspace().join(name).join("src"))
        .collect()
}

/// The programs that these files belong to. What all of them share belongs to all.
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
