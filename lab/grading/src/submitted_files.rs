//! The files of a submission, read from a folder or an archive, and from archives inside of it. Whatever the archives claim,
//! there is a limit to how many files and bytes are read, and no path leads out of the submission.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use cluster::printable;
use flate2::read::GzDecoder;
use walkdir::WalkDir;

/// The most that a submission may contain when everything is unpacked: bytes and files.
const MOST_BYTES: u64 = 256 << 20;
const MOST_FILES: usize = 5_000;

/// Folders that tools create, and that nobody submits on purpose: build results, the history of git, Python's packages, and what
/// macOS adds to archives.
const OF_TOOLS: &[&str] = &["target", ".git", ".venv", "venv", "__pycache__", "__MACOSX"];

/// How the name of an archive ends, in upper or lower case.
const ARCHIVES: &[&str] = &[".zip", ".tar.gz", ".tgz", ".tar"];

/// How the names of archives end that cannot be unpacked.
const OTHER_ARCHIVES: &[&str] = &[".rar", ".7z", ".gz", ".bz2", ".xz", ".zst"];

#[derive(Clone, Debug)]
pub struct Taken {
    pub bytes: Vec<u8>,
    pub executable: bool,
}

/// The files that have been read, by their path in the submission.
#[derive(Default)]
pub struct SubmittedFiles {
    pub files: BTreeMap<PathBuf, Taken>,
    /// Which files were left out that the student may have wanted to submit, and why: links, and paths that lead out of the
    /// submission.
    pub left_out: Vec<String>,
    /// The bytes of all files that have not been dropped.
    bytes: u64,
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

fn without_ending<'a>(name: &'a str, ending: &str) -> Option<&'a str> {
    let at = name.len().checked_sub(ending.len())?;
    let (rest, end) = name.split_at_checked(at)?;
    end.eq_ignore_ascii_case(ending).then_some(rest)
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

impl SubmittedFiles {
    /// Reads a folder, or an archive (`.zip`, `.tar`, `.tar.gz`, `.tgz`).
    ///
    /// # Errors
    /// When it cannot be read, is too large, or is neither a folder nor an archive.
    pub fn read(source: &Path) -> Result<Self> {
        let name = name_of(source);
        let mut read = Self::default();
        let result = if source.is_dir() {
            read.folder(source)
        } else if archive_name(&name).is_some() {
            File::open(source)
                .map_err(Into::into)
                .and_then(|file| read.archive(BufReader::new(file), &name, Path::new("")))
        } else {
            bail!(
                "{name} is neither a folder nor an archive ({})",
                ARCHIVES.join(", ")
            );
        };
        result.with_context(|| format!("{name} cannot be read"))?;
        Ok(read)
    }

    /// Unpacks the archives among the files: each becomes a folder with the archive's name. Returns false if there is none.
    ///
    /// # Errors
    /// When one of them cannot be read, or when the submission becomes too large.
    pub fn unpack_archives(&mut self) -> Result<bool> {
        let paths = self.files.keys();
        let archives: Vec<PathBuf> = paths
            .filter(|path| archive_name(&name_of(path)).is_some())
            .cloned()
            .collect();
        for path in &archives {
            let Some(Taken { bytes, .. }) = self.files.remove(path) else {
                continue;
            };
            self.bytes -= bytes.len() as u64;
            self.archive(Cursor::new(bytes), &name_of(path), path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
        }
        Ok(!archives.is_empty())
    }

    fn folder(&mut self, folder: &Path) -> Result<()> {
        let root = folder.canonicalize()?;
        // Folders of tools are not even walked through, because they may be very large.
        let entries = WalkDir::new(&root).into_iter().filter_entry(|entry| {
            entry.depth() == 0 || !is_of_tools(&entry.file_name().to_string_lossy())
        });
        for entry in entries {
            let entry = entry?;
            let path = entry.path().strip_prefix(&root)?;
            if entry.path_is_symlink() {
                self.leave_out(path, "is a link")?;
            } else if entry.file_type().is_file() {
                let metadata = entry.metadata()?;
                let executable = metadata.permissions().mode() & 0o111 != 0;
                self.take(path, File::open(entry.path())?, executable)?;
            }
        }
        Ok(())
    }

    /// Reads an archive with this name. Its files get paths in the folder `under`.
    fn archive(&mut self, file: impl Read + Seek, name: &str, under: &Path) -> Result<()> {
        let ends = |ending| without_ending(name, ending).is_some();
        if ends(".zip") {
            self.zip(file, under)
        } else if ends(".tar") {
            self.tar(file, under)
        } else {
            self.tar(GzDecoder::new(file), under)
        }
    }

    fn zip(&mut self, file: impl Read + Seek, under: &Path) -> Result<()> {
        let mut archive = zip::ZipArchive::new(file)?;
        for number in 0..archive.len() {
            let entry = archive.by_index(number)?;
            let mode = entry.unix_mode().unwrap_or(0o644);
            // Some programs for Windows write a backslash between the parts of a path.
            let path = PathBuf::from(entry.name()?.replace('\\', "/"));
            if entry.is_symlink() {
                self.leave_out(&under.join(path), "is a link")?;
            } else if entry.is_file() {
                self.take_in(under, &path, entry, mode & 0o111 != 0)?;
            }
        }
        Ok(())
    }

    fn tar(&mut self, file: impl Read, under: &Path) -> Result<()> {
        let mut archive = tar::Archive::new(file);
        for entry in archive.entries()? {
            let entry = entry?;
            let path = entry.path()?.into_owned();
            let kind = entry.header().entry_type();
            let mode = entry.header().mode().unwrap_or(0o644);
            if kind.is_file() {
                self.take_in(under, &path, entry, mode & 0o111 != 0)?;
            } else if !kind.is_dir() {
                self.leave_out(&under.join(path), "is not a plain file")?;
            }
        }
        Ok(())
    }

    /// Takes a file from an archive, which may give it any path.
    fn take_in(
        &mut self,
        under: &Path,
        path: &Path,
        file: impl Read,
        executable: bool,
    ) -> Result<()> {
        let mut parts = path.components();
        if parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            self.take(&under.join(path), file, executable)
        } else {
            self.leave_out(path, "leads out of the submission")
        }
    }

    fn take(&mut self, path: &Path, file: impl Read, executable: bool) -> Result<()> {
        let mut parts = path.components();
        if parts.any(|part| is_of_tools(&part.as_os_str().to_string_lossy())) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        file.take(MOST_BYTES - self.bytes + 1)
            .read_to_end(&mut bytes)
            .with_context(|| path.display().to_string())?;
        self.bytes += bytes.len() as u64;
        let path = path.components().collect();
        self.files.insert(path, Taken { bytes, executable });
        self.ensure_within_limits()
    }

    fn leave_out(&mut self, path: &Path, why: &str) -> Result<()> {
        let path = printable(&path.display().to_string());
        self.left_out.push(format!("{path} {why}"));
        self.ensure_within_limits()
    }

    fn ensure_within_limits(&self) -> Result<()> {
        if self.bytes > MOST_BYTES || self.files.len() + self.left_out.len() > MOST_FILES {
            bail!(
                "the submission is larger than {} MB or has more than {MOST_FILES} files. Submit only the programs, and what \
                 they need",
                MOST_BYTES >> 20
            );
        }
        Ok(())
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

    /// The files of a folder that contains these.
    fn read(entries: &[(&str, &[u8])]) -> SubmittedFiles {
        let folder = TempDir::new().unwrap();
        for (path, bytes) in entries {
            fs::write(folder.path().join(path), bytes).unwrap();
        }
        SubmittedFiles::read(folder.path()).unwrap()
    }

    fn paths(read: &SubmittedFiles) -> Vec<&str> {
        let paths = read.files.keys();
        paths.map(|path| path.to_str().unwrap()).collect()
    }

    #[test]
    fn an_archive_becomes_a_folder_and_nothing_leads_out_of_it() {
        let inner = zip(&[
            ("lab/producer.py", b"1"),
            ("../escaped.py", b"2"),
            ("/absolute.py", b"3"),
            ("lab/venv/lib/consumer.py", b"4"),
        ]);
        let mut read = read(&[("jane.ZIP", &inner), ("report.pdf", b"")]);
        assert!(read.unpack_archives().unwrap());
        assert_eq!(paths(&read), ["jane.ZIP/lab/producer.py", "report.pdf"]);
        assert_eq!(read.left_out.len(), 2, "{:?}", read.left_out);
        assert!(!read.unpack_archives().unwrap());
    }

    #[test]
    fn a_zip_from_windows_may_have_backslashes() {
        let mut read = read(&[("jane.zip", &zip(&[(r"lab\src\main.rs", b"")]))]);
        read.unpack_archives().unwrap();
        assert_eq!(paths(&read), ["jane.zip/lab/src/main.rs"]);
    }

    #[test]
    fn archives_in_archives_share_one_limit_of_bytes() {
        let large = vec![0; 100 << 20];
        let one = zip(&[("zeros", &large)]);
        let mut read = read(&[("1.zip", &one), ("2.zip", &one), ("3.zip", &one)]);
        let error = format!("{:#}", read.unpack_archives().unwrap_err());
        assert!(error.contains("3.zip cannot be read"), "{error}");
        assert!(error.contains("larger than 256 MB"), "{error}");
    }

    #[test]
    fn archives_in_archives_share_one_limit_of_files() {
        let names: Vec<String> = (0..3_000).map(|number| number.to_string()).collect();
        let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, &b""[..])).collect();
        let one = zip(&entries);
        let mut read = read(&[("1.zip", &one), ("2.zip", &one)]);
        let error = format!("{:#}", read.unpack_archives().unwrap_err());
        assert!(error.contains("more than 5000 files"), "{error}");
    }

    #[test]
    fn a_broken_archive_is_named() {
        let mut read = read(&[("jane.zip", b"no archive")]);
        let error = format!("{:#}", read.unpack_archives().unwrap_err());
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
        assert_eq!(archive_name("é"), None);
        assert!(is_other_archive("jane.RAR") && !is_other_archive("jane.py"));
    }
}
