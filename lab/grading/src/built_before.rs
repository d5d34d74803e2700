//! Copies the dependencies that Cargo has built for this workspace to another workspace with the same `Cargo.lock`.
//!
//! Copying takes a second; building librdkafka and SQLite takes minutes. Nothing is checked here: Cargo itself checks what it
//! finds in a target folder, and builds what is missing or out of date.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Result;
use serde::Deserialize;
use walkdir::WalkDir;

/// Fingerprints come first: if a package has a fingerprint, its files are complete, even if Cargo is building at the moment.
const FOLDERS: &[&str] = &[".fingerprint", "build", "deps"];

/// The parts of a `Cargo.lock` that matter here.
#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    /// The registry; a member of the workspace has none.
    source: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// Copies built dependencies from the target folder of this executable to the target folder `to`: the dependencies that these
/// members have in this `Cargo.lock`. What was built from the workspace itself is not copied, because solutions are a part of it.
/// If this executable is not in a target folder, nothing is copied.
///
/// # Errors
/// When the `Cargo.lock` is not valid, or a file cannot be read or written.
pub fn take_over(lock: &str, members: &[&str], to: &Path) -> Result<()> {
    let executable = std::env::current_exe()?;
    let Some(from) = executable
        .ancestors()
        .find(|folder| folder.join(".fingerprint").is_dir())
    else {
        return Ok(());
    };
    let dependencies = dependencies(lock, members)?;
    let mut hashes = HashSet::new();
    for folder in FOLDERS {
        let from = from.join(folder);
        let to = to.join("debug").join(folder);
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // `name-hash` or `libname-hash.rlib`. All files from one build of a package have the same hash.
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

/// The names of all packages from a registry that these members depend on, directly or indirectly.
///
/// # Errors
/// When the `Cargo.lock` is not valid.
fn dependencies(lock: &str, members: &[&str]) -> Result<HashSet<String>> {
    let lock: Lock = toml::from_str(lock)?;
    let mut found = HashSet::new();
    let mut to_follow: Vec<&str> = members.to_vec();
    while let Some(name) = to_follow.pop() {
        for package in lock.package.iter().filter(|package| package.name == name) {
            for dependency in &package.dependencies {
                // If there are several versions of a package, the version follows the name. All of them are taken.
                let name = dependency.split(' ').next().unwrap_or_default();
                if found.insert(name) {
                    to_follow.push(name);
                }
            }
        }
    }
    let of_a_registry = lock
        .package
        .iter()
        .filter(|package| package.source.is_some());
    let names = of_a_registry.map(|package| package.name.as_str());
    Ok(names
        .filter(|name| found.contains(name))
        .map(ToString::to_string)
        .collect())
}

/// Copies a file or a folder, and keeps its symbolic links and modification times: if a source looks newer than what was built
/// from it, Cargo builds it again. Plain files are copied with `copy_file`.
///
/// # Errors
/// When a file cannot be read or written.
pub fn copy(
    from: &Path,
    to: &Path,
    copy_file: impl Fn(&Path, &Path) -> std::io::Result<()>,
) -> Result<()> {
    for entry in WalkDir::new(from) {
        let entry = entry?;
        // Joining an empty path would add a slash at the end, and a file's path must not have one.
        let path = match entry.depth() {
            0 => to.to_path_buf(),
            _ => to.join(entry.path().strip_prefix(from)?),
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
