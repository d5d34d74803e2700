//! Writing a page to where the user wants it: whole, or not at all.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::Builder;

/// Writes a page, and says where it is.
///
/// # Errors
/// When it cannot be written: no such folder, a full disk. Then the file is as it was.
pub fn page(file: &Path, html: &str) -> Result<()> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let written = || -> Result<()> {
        // As any other file of the user: by their umask.
        let permissions = Permissions::from_mode(0o666);
        let mut new = Builder::new().permissions(permissions).tempfile_in(folder)?;
        new.write_all(html.as_bytes())?;
        new.persist(file)?;
        Ok(())
    };
    written().with_context(|| {
        format!(
            "{} could not be written. Is its folder there, and room on the disk?",
            file.display()
        )
    })?;
    eprintln!("\nThe report is in {}.", file.display());
    Ok(())
}
