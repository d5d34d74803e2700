//! Writing a file whole, or not at all.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Result, bail};
use tempfile::{Builder, NamedTempFile};

/// Puts these bytes into a file, in place of what was there.
///
/// # Errors
/// When they cannot be written: no such folder, a full disk. Then the file is as it was.
pub fn write_whole(file: &Path, bytes: &[u8]) -> Result<()> {
    let mut new = beside(file)?;
    new.write_all(bytes)?;
    new.persist(file)?;
    Ok(())
}

/// Finds out whether a file could be written, before the work that it is to tell of.
///
/// # Errors
/// When it could not.
pub fn could_be_written(file: &Path) -> Result<()> {
    if file.is_dir() {
        bail!("it is a folder");
    }
    beside(file).map(drop)
}

/// A new file in the same folder, which is gone when it is dropped.
fn beside(file: &Path) -> Result<NamedTempFile> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // As any other file of the user: by their umask.
    let permissions = Permissions::from_mode(0o666);
    Ok(Builder::new()
        .permissions(permissions)
        .tempfile_in(folder)?)
}
