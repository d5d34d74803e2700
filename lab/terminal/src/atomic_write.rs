//! Writes a file completely, or not at all.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Result, bail};
use tempfile::{Builder, NamedTempFile};

/// Replaces the contents of a file by these bytes. Readers see the old contents or the new ones, never a part of them.
///
/// # Errors
/// When the bytes cannot be written, because the folder does not exist or the disk is full, for example. Then the file is
/// unchanged.
pub fn write_atomically(file: &Path, bytes: &[u8]) -> Result<()> {
    let mut new = new_beside(file)?;
    new.write_all(bytes)?;
    new.persist(file)?;
    Ok(())
}

/// Checks that a file can be written, without changing it.
///
/// # Errors
/// When it is a folder, or when no file can be created next to it.
pub fn check_writable(file: &Path) -> Result<()> {
    if file.is_dir() {
        bail!("it is a folder");
    }
    new_beside(file).map(drop)
}

/// A new temporary file in the same folder. It is removed when it is dropped.
fn new_beside(file: &Path) -> Result<NamedTempFile> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // The same as for any other new file: the user's umask decides who may read it.
    let permissions = Permissions::from_mode(0o666);
    Ok(Builder::new()
        .permissions(permissions)
        .tempfile_in(folder)?)
}
