//! The archive from which Gradescope builds an autograder: the repository that is handed out, the grading commands, and the two
//! scripts that Gradescope runs.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use walkdir::WalkDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::export::{Recipient, export, handout};

/// The scripts, under the names that Gradescope expects, and the settings that both of them read.
const SCRIPTS: &[&str] = &["setup.sh", "run_autograder", "environment"];

/// Writes the archive. The file appears only when it is complete.
///
/// # Errors
/// When it cannot be written.
pub fn gradescope_package(file: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    export(&folder.path().join("lab"), Recipient::Autograder)?;
    for script in SCRIPTS {
        let from = handout().join("gradescope").join(script);
        fs::copy(from, folder.path().join(script)).with_context(|| (*script).to_string())?;
    }
    let absolute = std::path::absolute(file)?;
    let parent = absolute.parent();
    let parent = parent.with_context(|| format!("{} is not a file", file.display()))?;
    let new = tempfile::NamedTempFile::new_in(parent)?;
    let mut archive = ZipWriter::new(new.reopen()?);
    for entry in WalkDir::new(folder.path()).sort_by_file_name() {
        let entry = entry?;
        if entry.file_type().is_file() {
            let path = entry.path().strip_prefix(folder.path())?;
            let is_script = SCRIPTS.iter().any(|script| path == Path::new(script));
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
