//! What platforms build an autograder from: the repository that is handed out, the grading commands, and the scripts that the
//! platform runs.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use walkdir::WalkDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::export::{Recipient, ensure_empty, export, handout};

/// The scripts, under the names that Gradescope expects, and the settings that both of them read.
const GRADESCOPE: &[&str] = &["setup.sh", "run_autograder", "environment"];

/// The script, under the name that Classroom 50 expects, and what the platform installs before it starts the script.
const CLASSROOM50: &[&str] = &["autograder.py", "runtime.json"];

/// Makes the folder that Classroom 50 hands to its runner for each submission.
///
/// # Errors
/// When the folder exists and is not empty, or when a file cannot be read or written.
pub fn classroom50_package(folder: &Path) -> Result<()> {
    ensure_empty(folder)?;
    fill(folder, "classroom50", CLASSROOM50)
}

/// Fills a folder with the lab and with these files of a platform.
fn fill(folder: &Path, platform: &str, files: &[&str]) -> Result<()> {
    export(&folder.join("lab"), Recipient::Autograder)?;
    for file in files {
        let from = handout().join(platform).join(file);
        fs::copy(from, folder.join(file)).with_context(|| (*file).to_string())?;
    }
    Ok(())
}

/// Writes the archive for Gradescope. The file appears only when it is complete.
///
/// # Errors
/// When it cannot be written.
pub fn gradescope_package(file: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    fill(folder.path(), "gradescope", GRADESCOPE)?;
    let absolute = std::path::absolute(file)?;
    let parent = absolute.parent();
    let parent = parent.with_context(|| format!("{} is not a file", file.display()))?;
    let new = tempfile::NamedTempFile::new_in(parent)?;
    let mut archive = ZipWriter::new(new.reopen()?);
    for entry in WalkDir::new(folder.path()).sort_by_file_name() {
        let entry = entry?;
        if entry.file_type().is_file() {
            let path = entry.path().strip_prefix(folder.path())?;
            let is_script = GRADESCOPE.iter().any(|script| path == Path::new(script));
            let mode = if is_script { 0o755 } else { 0o644 };
            let options = SimpleFileOptions::default().unix_permissions(mode);
            archive.start_file(path.to_string_lossy(), options)?;
            std::io::copy(&mut File::open(entry.path())?, &mut archive)?;
        }
    }
    archive.finish()?.flush()?;
    new.persist(file)
        .with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(())
}
