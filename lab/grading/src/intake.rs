//! The files that are taken from a submission. Everything else is ignored.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use cluster::printable;
use flate2::read::GzDecoder;
use judge::programs::PROGRAMS;
use walkdir::WalkDir;

use crate::digest::Digest;

/// The most that a submission may contain: bytes and files.
const MOST_BYTES: u64 = 256 << 20;
const MOST_FILES: usize = 5_000;

/// Folders that tools create, and that nobody submits on purpose: build results, the history of git, and what macOS adds to
/// archives.
const OF_TOOLS: &[&str] = &["target", ".git", "__MACOSX"];

/// How the name of an archive ends.
const ARCHIVES: &[&str] = &[".zip", ".tar.gz", ".tgz", ".tar"];

/// The name of a submission: that of its folder, or that of its archive without the ending.
///
/// # Errors
/// When the path has no name, such as `/`.
pub fn name_of(source: &Path) -> Result<String> {
    let source = std::path::absolute(source)?;
    let name = source.file_name().with_context(|| {
        format!(
            "{} has no name, but a submission needs one",
            source.display()
        )
    })?;
    let name = name.to_string_lossy();
    let ending = ARCHIVES.iter().find(|ending| name.ends_with(**ending));
    let name = &name[..name.len() - ending.map_or(0, |ending| ending.len())];
    // The name is printed, and is the name of a folder with results.
    Ok(printable(name).replace(['\n', '\t'], " "))
}

/// The kind of a submission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A student's workspace: its sources are built.
    Workspace,
    /// A folder of executables or scripts.
    #[default]
    Programs,
}

/// The files that are taken from a submission, by their path in it.
#[derive(Clone, Debug, Default)]
pub struct Intake {
    pub kind: Kind,
    files: BTreeMap<PathBuf, Taken>,
    /// Which files were left out that the student may have wanted to submit, and why: links, and paths that lead out of the
    /// submission.
    pub left_out: Vec<String>,
}

#[derive(Clone, Debug)]
struct Taken {
    bytes: Vec<u8>,
    executable: bool,
}

/// The files that have been read so far, and their size in bytes.
#[derive(Default)]
struct Reading {
    files: BTreeMap<PathBuf, Taken>,
    left_out: Vec<String>,
    bytes: u64,
}

impl Intake {
    /// Reads a submission: a folder, or an archive (`.zip`, `.tar`, `.tar.gz`, `.tgz`).
    ///
    /// # Errors
    /// When it cannot be read, is too large, or is neither a folder nor an archive.
    pub fn read(source: &Path) -> Result<Self> {
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        let mut reading = Reading::default();
        let read = if source.is_dir() {
            reading.folder(source)
        } else if ARCHIVES.iter().any(|ending| name.ends_with(ending)) {
            reading.archive(source, &name)
        } else {
            bail!(
                "{name} is neither a folder nor an archive ({})",
                ARCHIVES.join(", ")
            );
        };
        read.with_context(|| format!("{name} cannot be read"))?;
        Ok(reading.sorted())
    }

    /// Writes the files to a folder.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        for (path, taken) in &self.files {
            let path = folder.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&path, &taken.bytes)?;
            let mode = if taken.executable { 0o755 } else { 0o644 };
            fs::set_permissions(&path, PermissionsExt::from_mode(mode))?;
        }
        Ok(())
    }

    /// The programs whose sources a workspace contains.
    pub fn programs(&self) -> Vec<&'static str> {
        let has_main = |program: &&&str| {
            let main = Path::new(program).join("src/main.rs");
            self.files.contains_key(&main)
        };
        PROGRAMS.iter().filter(has_main).copied().collect()
    }

    /// The paths of the files in one of its folders.
    pub fn paths_in<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = PathBuf> + 'a {
        let paths = self.files.keys();
        paths.filter(move |path| path.starts_with(folder)).cloned()
    }

    /// The text of a file; `None` if there is no such file, or if it is not UTF-8.
    pub fn text(&self, path: &Path) -> Option<String> {
        String::from_utf8(self.files.get(path)?.bytes.clone()).ok()
    }

    /// The texts of the Python scripts.
    pub fn scripts(&self) -> impl Iterator<Item = String> {
        let paths = self.files.keys();
        let scripts =
            paths.filter(|path| path.extension().is_some_and(|extension| extension == "py"));
        scripts.map(|path| self.text(path).unwrap_or_default())
    }

    /// The digest of all files: their paths, contents and executable bits.
    pub fn digest(&self) -> String {
        let mut digest = Digest::default();
        for (path, taken) in &self.files {
            digest
                .field(path.as_os_str().as_bytes())
                .field(&taken.bytes)
                .field([u8::from(taken.executable)]);
        }
        digest.hex()
    }
}

fn is_of_tools(path: &Path) -> bool {
    path.components()
        .any(|part| OF_TOOLS.iter().any(|name| part.as_os_str() == *name))
}

impl Reading {
    fn folder(&mut self, folder: &Path) -> Result<()> {
        let root = folder.canonicalize()?;
        // Folders of tools are not even walked through, because they may be very large.
        let entries = WalkDir::new(&root)
            .into_iter()
            .filter_entry(|entry| entry.depth() == 0 || !is_of_tools(entry.file_name().as_ref()));
        for entry in entries {
            let entry = entry?;
            let path = entry.path().strip_prefix(&root)?;
            if entry.path_is_symlink() {
                self.left_out.push(format!("{} is a link", path.display()));
            } else if entry.file_type().is_file() {
                let metadata = entry.metadata()?;
                let executable = metadata.permissions().mode() & 0o111 != 0;
                self.take(path, File::open(entry.path())?, executable)?;
            }
        }
        Ok(())
    }

    fn archive(&mut self, file: &Path, name: &str) -> Result<()> {
        let bytes = BufReader::new(File::open(file)?);
        if name.ends_with(".zip") {
            self.zip(bytes)
        } else if name.ends_with(".tar") {
            self.tar(bytes)
        } else {
            self.tar(GzDecoder::new(bytes))
        }
    }

    fn zip(&mut self, file: BufReader<File>) -> Result<()> {
        let mut archive = zip::ZipArchive::new(file)?;
        for number in 0..archive.len() {
            let entry = archive.by_index(number)?;
            let mode = entry.unix_mode().unwrap_or(0o644);
            let path = PathBuf::from(entry.name()?.into_owned());
            if entry.is_symlink() {
                self.left_out.push(format!("{} is a link", path.display()));
            } else if entry.is_file() {
                self.take(&path, entry, mode & 0o111 != 0)?;
            }
        }
        Ok(())
    }

    fn tar(&mut self, file: impl Read) -> Result<()> {
        let mut archive = tar::Archive::new(file);
        for entry in archive.entries()? {
            let entry = entry?;
            let path = entry.path()?.into_owned();
            let kind = entry.header().entry_type();
            let mode = entry.header().mode().unwrap_or(0o644);
            if kind.is_file() {
                self.take(&path, entry, mode & 0o111 != 0)?;
            } else if !kind.is_dir() {
                self.left_out
                    .push(format!("{} is not a plain file", path.display()));
            }
        }
        Ok(())
    }

    fn take(&mut self, path: &Path, file: impl Read, executable: bool) -> Result<()> {
        let plain = path
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !plain {
            self.left_out
                .push(format!("{} leads out of the submission", path.display()));
            return Ok(());
        }
        if is_of_tools(path) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        file.take(MOST_BYTES - self.bytes + 1)
            .read_to_end(&mut bytes)
            .with_context(|| path.display().to_string())?;
        self.bytes += bytes.len() as u64;
        if self.bytes > MOST_BYTES || self.files.len() >= MOST_FILES {
            bail!(
                "the submission is larger than {} MB or has more than {MOST_FILES} files",
                MOST_BYTES >> 20
            );
        }
        let path = path.components().collect();
        self.files.insert(path, Taken { bytes, executable });
        Ok(())
    }

    /// The files that count. If there is a workspace, these are only the sources of its programs. If everything is in one
    /// folder, as in many archives, paths begin in that folder.
    fn sorted(mut self) -> Intake {
        if let Some(folder) = self.only_folder() {
            let files = std::mem::take(&mut self.files).into_iter();
            self.files = files
                .filter_map(|(path, taken)| {
                    Some((path.strip_prefix(&folder).ok()?.to_path_buf(), taken))
                })
                .collect();
        }
        let is_source = |path: &Path| {
            PROGRAMS
                .iter()
                .any(|program| path.starts_with(Path::new(program).join("src")))
                && path.extension().is_some_and(|extension| extension == "rs")
        };
        let kind = if self.files.keys().any(|path| is_source(path)) {
            self.files.retain(|path, _| is_source(path));
            Kind::Workspace
        } else {
            Kind::Programs
        };
        Intake {
            kind,
            files: self.files,
            left_out: self.left_out.iter().map(|what| printable(what)).collect(),
        }
    }

    fn only_folder(&self) -> Option<PathBuf> {
        let first = |path: &Path| {
            path.components()
                .next()
                .map(|part| PathBuf::from(part.as_os_str()))
        };
        let folder = first(self.files.keys().next()?)?;
        let is_program = PROGRAMS.iter().any(|program| folder == Path::new(program));
        let holds_all = self
            .files
            .keys()
            .all(|path| path.components().count() > 1 && path.starts_with(&folder));
        (holds_all && !is_program).then_some(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files by path, content and executable bit.
    fn digest(files: &[(&str, &str, bool)]) -> String {
        let taken = files.iter().map(|(path, text, executable)| {
            let bytes = text.as_bytes().to_vec();
            let executable = *executable;
            (PathBuf::from(path), Taken { bytes, executable })
        });
        let intake = Intake {
            files: taken.collect(),
            ..Intake::default()
        };
        intake.digest()
    }

    #[test]
    fn any_change_to_a_file_changes_the_digest() {
        let files = [("a", "print(1)", false), ("b", "print(2)", false)];
        let other_byte = [("a", "print(3)", false), ("b", "print(2)", false)];
        let other_path = [("a", "print(1)", false), ("c", "print(2)", false)];
        let executable = [("a", "print(1)", false), ("b", "print(2)", true)];
        let moved_byte = [("a", "print(1", false), ("b", ")print(2)", false)];
        let moved_to_the_path = [("ap", "rint(1)", false), ("b", "print(2)", false)];
        assert_eq!(digest(&files), digest(&files));
        for changed in [
            other_byte,
            other_path,
            executable,
            moved_byte,
            moved_to_the_path,
        ] {
            assert_ne!(digest(&files), digest(&changed), "{changed:?}");
        }
        assert_ne!(digest(&files), digest(&files[..1]));
    }

    #[test]
    fn the_ending_of_an_archive_is_not_part_of_the_name() {
        for source in [
            "class/jane",
            "class/jane.zip",
            "class/jane.tar.gz",
            "jane.tgz",
        ] {
            assert_eq!(name_of(Path::new(source)).unwrap(), "jane");
        }
        assert_eq!(name_of(Path::new("class/jane.doe")).unwrap(), "jane.doe");
        assert!(name_of(Path::new("/")).is_err());
    }

    #[test]
    fn what_is_no_submission_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Intake::read(file.path()).unwrap_err().to_string();
        assert!(error.contains("neither a folder nor an archive"), "{error}");
    }
}
