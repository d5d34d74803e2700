//! The files of a submission, one after the other: those of a folder, or those of an archive (`.zip`, `.tar`, `.tar.gz`).

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use flate2::read::GzDecoder;
use walkdir::WalkDir;

/// How the name of an archive ends.
pub const ARCHIVES: &[&str] = &[".zip", ".tar.gz", ".tgz", ".tar"];

/// Folders that tools create, and that nobody submits on purpose: build results, the history of git, what Python compiles and
/// installs, and what macOS adds to archives.
const OF_TOOLS: &[&str] = &["target", ".git", "__pycache__", ".venv", "venv", "__MACOSX"];

/// The most that is looked through to find the files that count: entries, and bytes that were compressed.
const MOST_ENTRIES: usize = 500_000;
const MOST_UNPACKED: u64 = 8 << 30;

/// A file, link or similar in a submission. Folders are not among them.
pub struct Entry<'a> {
    pub path: PathBuf,
    pub kind: EntryKind,
    pub executable: bool,
    /// The size in bytes that it is said to have.
    pub size: u64,
    pub content: &'a mut dyn Read,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    Plain,
    Link,
    Other,
}

/// What is done with each entry.
type Visit<'a> = &'a mut dyn FnMut(Entry) -> Result<()>;

/// Shows `visit` every entry of a folder or an archive, except what is in folders of tools.
///
/// # Errors
/// When it cannot be read, is neither a folder nor an archive, or is too large to be looked through; or the error of `visit`.
pub fn each_entry(source: &Path, visit: Visit) -> Result<()> {
    let name = source.file_name().unwrap_or_default().to_string_lossy();
    let mut entries = 0;
    let mut counted = |entry: Entry| {
        entries += 1;
        ensure!(
            entries <= MOST_ENTRIES,
            "it has more than {MOST_ENTRIES} files"
        );
        if is_of_tools(&entry.path) {
            return Ok(());
        }
        visit(entry)
    };
    if source.is_dir() {
        return folder(source, &mut counted);
    }
    if !ARCHIVES.iter().any(|ending| name.ends_with(ending)) {
        bail!(
            "it is neither a folder nor an archive ({})",
            ARCHIVES.join(", ")
        );
    }
    let file = BufReader::new(File::open(source)?);
    if name.ends_with(".zip") {
        zip(file, &mut counted)
    } else if name.ends_with(".tar") {
        tar(file, &mut counted)
    } else {
        tar(GzDecoder::new(file).take(MOST_UNPACKED), &mut counted)
    }
}

fn is_of_tools(path: &Path) -> bool {
    path.components()
        .any(|part| OF_TOOLS.iter().any(|name| part.as_os_str() == *name))
}

fn folder(folder: &Path, visit: Visit) -> Result<()> {
    let root = folder.canonicalize()?;
    // Folders of tools are not even walked through, because they may be very large.
    let entries = WalkDir::new(&root)
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !is_of_tools(entry.file_name().as_ref()));
    for entry in entries {
        let entry = entry?;
        if entry.file_type().is_dir() {
            continue;
        }
        let metadata = entry.metadata()?;
        let kind = if entry.path_is_symlink() {
            EntryKind::Link
        } else if metadata.is_file() {
            EntryKind::Plain
        } else {
            EntryKind::Other
        };
        visit(Entry {
            path: entry.path().strip_prefix(&root)?.to_path_buf(),
            kind,
            executable: metadata.permissions().mode() & 0o111 != 0,
            size: metadata.len(),
            content: &mut WhenRead::new(entry.path()),
        })?;
    }
    Ok(())
}

fn zip(file: BufReader<File>, visit: Visit) -> Result<()> {
    let mut archive = zip::ZipArchive::new(file)?;
    for number in 0..archive.len() {
        let mut entry = archive.by_index(number)?;
        let kind = if entry.is_symlink() {
            EntryKind::Link
        } else if entry.is_file() {
            EntryKind::Plain
        } else {
            continue;
        };
        visit(Entry {
            path: PathBuf::from(entry.name()?.into_owned()),
            kind,
            executable: entry.unix_mode().unwrap_or(0o644) & 0o111 != 0,
            size: entry.size(),
            content: &mut entry,
        })?;
    }
    Ok(())
}

fn tar(file: impl Read, visit: Visit) -> Result<()> {
    let mut archive = tar::Archive::new(file);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let found = entry.header().entry_type();
        let kind = if found.is_file() {
            EntryKind::Plain
        } else if found.is_symlink() || found.is_hard_link() {
            EntryKind::Link
        } else if found.is_dir() {
            continue;
        } else {
            EntryKind::Other
        };
        visit(Entry {
            path: entry.path()?.into_owned(),
            kind,
            executable: entry.header().mode().unwrap_or(0o644) & 0o111 != 0,
            size: entry.size(),
            content: &mut entry,
        })?;
    }
    Ok(())
}

/// A file that is opened when it is first read. Most files are not.
struct WhenRead<'a> {
    path: &'a Path,
    file: Option<File>,
}

impl<'a> WhenRead<'a> {
    fn new(path: &'a Path) -> Self {
        Self { path, file: None }
    }
}

impl Read for WhenRead<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let file = match &mut self.file {
            Some(file) => file,
            unopened => unopened.insert(File::open(self.path)?),
        };
        file.read(buffer)
    }
}
