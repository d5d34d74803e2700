//! Writing a file whole, or not at all.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Result;
use tempfile::Builder;

/// Puts these bytes into a file, in place of what was there.
///
/// # Errors
/// When they cannot be written: no such folder, a full disk. Then the file is as it was.
pub fn write_whole(file: &Path, bytes: &[u8]) -> Result<()> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // As any other file of the user: by their umask.
    let permissions = Permissions::from_mode(0o666);
    let mut new = Builder::new()
        .permissions(permissions)
        .tempfile_in(folder)?;
    new.write_all(bytes)?;
    new.persist(file)?;
    Ok(())
}
