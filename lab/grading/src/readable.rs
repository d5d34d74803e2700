//! What submitted programs may read on this machine, besides their own files and the system's.

use std::env::{split_paths, var_os};
use std::path::PathBuf;

use anyhow::{Result, ensure};
use broker::find_on_path;
use confine::READABLE;

/// The folder of Java, and what the person who grades has named in [`READABLE`].
///
/// # Errors
/// When something named there does not exist.
pub fn readable_here() -> Result<Vec<PathBuf>> {
    let mut readable: Vec<PathBuf> = var_os("JAVA_HOME").into_iter().map(Into::into).collect();
    readable.extend(java_in_path());
    for named in split_paths(&var_os(READABLE).unwrap_or_default()) {
        if named.as_os_str().is_empty() {
            continue;
        }
        ensure!(
            named.is_absolute() && named.exists(),
            "{READABLE} names {}, but must name files and folders that exist, by their whole paths",
            named.display()
        );
        readable.push(named);
    }
    Ok(readable)
}

/// The folder of the Java that scripts find in `PATH`. It may be anywhere, even in somebody's home folder.
fn java_in_path() -> Option<PathBuf> {
    let java = find_on_path("java")?.canonicalize().ok()?;
    let home = java.ancestors().nth(2)?;
    // Every JDK and JRE has this file. It shows that nothing else is opened.
    home.join("release").is_file().then(|| home.to_path_buf())
}
