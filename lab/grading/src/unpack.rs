//! The files of a submission, one after the other: those of a folder or an archive (`.zip`, `.tar`, `.tar.gz`), and of archives
//! inside of it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;
use walkdir::WalkDir;

/// How the name of an archive ends, in upper or lower case.
const ARCHIVES: &[&str] = &[".zip", ".tar.gz", ".tgz", ".tar"];

/// How the names of archives end that cannot be unpacked.
const OTHER_ARCHIVES: &[&str] = &[".rar", ".7z", ".gz", ".bz2", ".xz", ".zst"];

/// Folders that tools create, and that nobody submits on purpose: build results, the history of git, what Python compiles and
/// installs, and what macOS adds to archives.
const OF_TOOLS: &[&str] = &["target", ".git", "__pycache__", ".venv", "venv", "__MACOSX"];

/// The most that is looked through to find the files that count: entries, and bytes that were compressed.
const MOST_ENTRIES: usize = 500_000;
const MOST_UNPACKED: u64 = 8 << 30;

/// The size of the largest archive among the entries that is opened, in bytes.
const MOST_NESTED: u64 = 256 << 20;

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

/// The name of an archive without its ending; `None` if it is no archive that can be unpacked.
pub fn archive_name(name: &str) -> Option<&str> {
    ARCHIVES
        .iter()
        .find_map(|ending| without_ending(name, ending))
}

/// Is this an archive that cannot be unpacked?
pub fn is_other_archive(name: &str) -> bool {
    let is_other = |ending: &&str| without_ending(name, ending).is_some();
    archive_name(name).is_none() && OTHER_ARCHIVES.iter().any(is_other)
}

/// Is this the name of a folder that a tool has made, and that contains nothing of a submission?
pub fn is_of_tools(name: &str) -> bool {
    OF_TOOLS.contains(&name)
}

/// The name of a file, as text.
pub fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The same path, without `.` in it.
pub fn normal(path: &Path) -> PathBuf {
    let parts = path.components();
    parts.filter(|part| *part != Component::CurDir).collect()
}

fn without_ending<'a>(name: &'a str, ending: &str) -> Option<&'a str> {
    let at = name.len().checked_sub(ending.len())?;
    let (rest, end) = name.split_at_checked(at)?;
    end.eq_ignore_ascii_case(ending).then_some(rest)
}

/// Shows `visit` every entry of a folder or an archive, except what is in folders of tools. The archives among the entries that
/// are `opened` count as folders.
///
/// # Errors
/// When it cannot be read, is neither a folder nor an archive, or is too large to be looked through; or the error of `visit`.
pub fn each_entry(
    source: &Path,
    opened: &BTreeSet<PathBuf>,
    visit: &mut dyn FnMut(Entry) -> Result<()>,
) -> Result<()> {
    let name = name_of(source);
    let mut walk = Walk {
        opened,
        entries: 0,
        visit,
    };
    if source.is_dir() {
        return walk.folder(source);
    }
    if archive_name(&name).is_none() {
        bail!(
            "it is neither a folder nor an archive ({})",
            ARCHIVES.join(", ")
        );
    }
    walk.archive(BufReader::new(File::open(source)?), &name, Path::new(""))
}

struct Walk<'a> {
    opened: &'a BTreeSet<PathBuf>,
    /// How many entries have been seen.
    entries: usize,
    visit: &'a mut dyn FnMut(Entry) -> Result<()>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path) -> Result<()> {
        let root = folder.canonicalize()?;
        // Folders of tools are not even walked through, because they may be very large.
        let entries = WalkDir::new(&root).into_iter().filter_entry(|entry| {
            entry.depth() == 0 || !is_of_tools(&entry.file_name().to_string_lossy())
        });
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
            self.show(Entry {
                path: entry.path().strip_prefix(&root)?.to_path_buf(),
                kind,
                executable: metadata.permissions().mode() & 0o111 != 0,
                size: metadata.len(),
                content: &mut WhenRead::new(entry.path()),
            })?;
        }
        Ok(())
    }

    /// Shows the entries of an archive with this name. Their paths are in the folder `under`.
    fn archive(&mut self, file: impl Read + Seek, name: &str, under: &Path) -> Result<()> {
        let ends = |ending| without_ending(name, ending).is_some();
        if ends(".zip") {
            self.zip(file, under)
        } else if ends(".tar") {
            self.tar(file, under)
        } else {
            self.tar(GzDecoder::new(file).take(MOST_UNPACKED), under)
        }
    }

    fn zip(&mut self, file: impl Read + Seek, under: &Path) -> Result<()> {
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
            self.show(Entry {
                // Some programs for Windows write a backslash between the parts of a path.
                path: under.join(entry.name()?.replace('\\', "/")),
                kind,
                executable: entry.unix_mode().unwrap_or(0o644) & 0o111 != 0,
                size: entry.size(),
                content: &mut entry,
            })?;
        }
        Ok(())
    }

    fn tar(&mut self, file: impl Read, under: &Path) -> Result<()> {
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
            self.show(Entry {
                path: under.join(entry.path()?),
                kind,
                executable: entry.header().mode().unwrap_or(0o644) & 0o111 != 0,
                size: entry.size(),
                content: &mut entry,
            })?;
        }
        Ok(())
    }

    fn show(&mut self, entry: Entry) -> Result<()> {
        self.entries += 1;
        ensure!(
            self.entries <= MOST_ENTRIES,
            "it has more than {MOST_ENTRIES} files"
        );
        let mut parts = entry.path.components();
        if parts.any(|part| is_of_tools(&part.as_os_str().to_string_lossy())) {
            return Ok(());
        }
        let path = normal(&entry.path);
        if entry.kind != EntryKind::Plain || !self.opened.contains(&path) {
            return (self.visit)(entry);
        }
        self.opened(entry.content, &path)
            .with_context(|| format!("{} cannot be read", path.display()))
    }

    /// Shows what is in an archive among the entries.
    fn opened(&mut self, content: &mut dyn Read, path: &Path) -> Result<()> {
        let mut bytes = Vec::new();
        content.take(MOST_NESTED + 1).read_to_end(&mut bytes)?;
        ensure!(
            bytes.len() as u64 <= MOST_NESTED,
            "it is larger than {} MB",
            MOST_NESTED >> 20
        );
        self.archive(Cursor::new(bytes), &name_of(path), path)
    }
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use tempfile::TempDir;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (path, bytes) in entries {
            zip.start_file(*path, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    /// The paths in a folder with this archive, which is opened.
    fn paths(archive: &str, bytes: &[u8]) -> Result<Vec<String>> {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join(archive), bytes).unwrap();
        let mut paths = Vec::new();
        let opened = BTreeSet::from([PathBuf::from(archive)]);
        each_entry(folder.path(), &opened, &mut |entry| {
            paths.push(entry.path.display().to_string());
            Ok(())
        })?;
        Ok(paths)
    }

    #[test]
    fn an_opened_archive_becomes_a_folder_without_the_folders_of_tools() {
        let inner = zip(&[
            ("lab/producer.py", b"1"),
            ("lab/venv/lib/consumer.py", b"2"),
        ]);
        assert_eq!(
            paths("jane.ZIP", &inner).unwrap(),
            ["jane.ZIP/lab/producer.py"]
        );
    }

    #[test]
    fn a_zip_from_windows_may_have_backslashes() {
        let inner = zip(&[(r"lab\src\main.rs", b"")]);
        assert_eq!(
            paths("jane.zip", &inner).unwrap(),
            ["jane.zip/lab/src/main.rs"]
        );
    }

    #[test]
    fn a_broken_archive_is_named() {
        let error = format!("{:#}", paths("jane.zip", b"no archive").unwrap_err());
        assert!(error.starts_with("jane.zip cannot be read"), "{error}");
    }

    #[test]
    fn endings_of_archives() {
        for name in [
            "jane.zip",
            "jane.ZIP",
            "jane.tar.gz",
            "jane.tgz",
            "jane.tar",
        ] {
            assert_eq!(archive_name(name), Some("jane"));
            assert!(!is_other_archive(name));
        }
        assert_eq!(archive_name("jane.doe"), None);
        assert_eq!(archive_name("\u{e9}"), None);
        assert!(is_other_archive("jane.RAR") && !is_other_archive("jane.py"));
    }
}
