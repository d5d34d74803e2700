//! The files that students get together with their programs, and that grading takes from its own workspace: the manifests of the
//! programs, and the crate `common`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::programs::{PROGRAMS, workspace};

/// The crate that all programs use.
pub const COMMON: &str = "common";

/// The manifest of a program, in the program's folder.
const MANIFEST: &str = "Cargo.toml";

/// The file that holds the texts of these files as they were handed out, by path. Only a workspace that was handed out has it.
pub const RECORD: &str = "lab/handed_out.json";

/// Is this something that tools leave in folders, such as `.DS_Store` or `target`? Nobody misses it.
pub fn is_of_tools(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name == "target"
}

/// Is this, seen from a workspace, one of these files?
pub fn is_handed_out(path: &Path) -> bool {
    let mut programs = PROGRAMS.iter();
    path.starts_with(COMMON) || programs.any(|program| path == Path::new(program).join(MANIFEST))
}

/// The content of [`RECORD`] for the files of this workspace.
///
/// # Errors
/// When a file cannot be read.
pub fn record() -> Result<String> {
    let mut texts = BTreeMap::new();
    for path in files()?.into_iter().filter(|path| is_handed_out(path)) {
        let file = workspace().join(&path);
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        texts.insert(path, text);
    }
    Ok(serde_json::to_string_pretty(&texts)?)
}

/// The files of this workspace that grading will not take, although they are not as they were handed out. None if this workspace
/// was not handed out.
///
/// # Errors
/// When a folder cannot be read.
pub fn will_be_left_out() -> Result<Vec<PathBuf>> {
    let Ok(record) = fs::read(workspace().join(RECORD)) else {
        return Ok(Vec::new());
    };
    let texts: BTreeMap<PathBuf, String> = serde_json::from_slice(&record)
        .with_context(|| format!("{RECORD} is not as it was handed out"))?;
    let mut files = files()?;
    files.retain(|path| {
        let as_it_is = fs::read_to_string(workspace().join(path)).ok();
        as_it_is.as_ref() != texts.get(path)
    });
    Ok(files)
}

/// The files of `common`, and those of the programs that are not in their folder `src`.
fn files() -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for folder in [COMMON].iter().chain(PROGRAMS) {
        add_files(Path::new(folder), &mut files)?;
    }
    files.sort();
    Ok(files)
}

fn add_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(workspace().join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        let is_source = |program: &&str| path == Path::new(program).join("src");
        if PROGRAMS.iter().any(is_source) || is_of_tools(&path) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            add_files(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
