//! Dependencies that Cargo has built for this workspace, taken over by another one with the same `Cargo.lock`.
//!
//! Cargo looks for itself whether what it finds in a target folder is what it needs, and builds the rest. Here it is only
//! copied, which takes a second where building librdkafka and SQLite takes minutes.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};
use walkdir::WalkDir;

/// Fingerprints come first: where one is there, what it speaks of is whole, even if Cargo is building at this moment.
const FOLDERS: &[&str] = &[".fingerprint", "build", "deps"];

/// Copies into the target folder `to` what the folder of this executable's build holds of dependencies. Nothing of the
/// workspace's own members is copied: solutions are among them. Without such a folder nothing is there to be copied.
///
/// # Errors
/// When something cannot be read or written.
pub fn take_over(lock: &str, to: &Path) -> Result<()> {
    let executable = std::env::current_exe()?;
    let Some(from) = executable
        .ancestors()
        .find(|folder| folder.join(".fingerprint").is_dir())
    else {
        return Ok(());
    };
    let dependencies = dependencies(lock)?;
    let mut hashes = HashSet::new();
    for folder in FOLDERS {
        let from = from.join(folder);
        let to = to.join("debug").join(folder);
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // `name-hash` or `libname-hash.rlib`, with the same hash for all that is of one build of a package.
            let Some((package, rest)) = name.rsplit_once('-') else {
                continue;
            };
            let hash = rest.split('.').next().unwrap_or_default();
            if *folder == ".fingerprint" && dependencies.contains(package) {
                hashes.insert(hash.to_string());
            }
            if hashes.contains(hash) {
                copy(&entry.path(), &to.join(&*name), |from, to| {
                    fs::copy(from, to).map(drop)
                })?;
            }
        }
    }
    Ok(())
}

/// The names of all packages that come from a registry.
fn dependencies(lock: &str) -> Result<HashSet<String>> {
    let lock: Table = lock.parse()?;
    let packages = lock.get("package").and_then(Value::as_array);
    let packages = packages.context("Cargo.lock names no package")?.iter();
    Ok(packages
        .filter(|package| package.get("source").is_some())
        .filter_map(|package| Some(package.get("name")?.as_str()?.to_string()))
        .collect())
}

/// Copies a file or a folder, each file by `copy_file`, and keeps links and times: Cargo builds anew what looks newer than what
/// was built from it.
///
/// # Errors
/// When something cannot be read or written.
pub fn copy(
    from: &Path,
    to: &Path,
    copy_file: impl Fn(&Path, &Path) -> std::io::Result<()>,
) -> Result<()> {
    for entry in WalkDir::new(from) {
        let entry = entry?;
        let below = entry.path().strip_prefix(from)?;
        let path = if below.as_os_str().is_empty() {
            to.to_path_buf()
        } else {
            to.join(below)
        };
        if entry.file_type().is_dir() {
            fs::create_dir_all(&path)?;
            continue;
        }
        if entry.path_is_symlink() {
            symlink(fs::read_link(entry.path())?, &path)?;
            continue;
        }
        copy_file(entry.path(), &path)?;
        fs::File::open(&path)?.set_modified(entry.metadata()?.modified()?)?;
    }
    Ok(())
}
