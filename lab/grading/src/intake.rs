//! What is taken from a submission. Everything else stays outside.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;
use judge::programs::PROGRAMS;
use walkdir::WalkDir;

/// A submission is not larger than this, in bytes, nor has it more files.
const MOST_BYTES: u64 = 256 << 20;
const MOST_FILES: usize = 5_000;

/// Folders that nobody means to hand in: what is built, what git knows, and what macOS puts into archives.
const OF_TOOLS: &[&str] = &["target", ".git", "__MACOSX"];

/// What kind of submission it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A student's workspace: sources, to be built.
    Workspace,
    /// A folder of executables or scripts.
    #[default]
    Programs,
}

/// The files of a submission that are taken, by their path in it.
#[derive(Clone, Debug, Default)]
pub struct Intake {
    pub kind: Kind,
    files: BTreeMap<PathBuf, Taken>,
    /// What was not taken though somebody may have hoped so: links, and paths that lead out.
    pub left_out: Vec<String>,
}

#[derive(Clone, Debug)]
struct Taken {
    bytes: Vec<u8>,
    executable: bool,
}

/// Files as they are read, within bounds.
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
    /// When it cannot be read, or is too large.
    pub fn read(source: &Path) -> Result<Self> {
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        let mut reading = Reading::default();
        if source.is_dir() {
            reading.folder(source)?;
        } else if name.ends_with(".zip") {
            reading.zip(File::open(source)?)?;
        } else if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
            reading.tar(GzDecoder::new(BufReader::new(File::open(source)?)))?;
        } else if name.ends_with(".tar") {
            reading.tar(BufReader::new(File::open(source)?))?;
        } else {
            bail!("{} is neither a folder nor an archive", source.display());
        }
        Ok(reading.sorted())
    }

    /// Puts the files into a folder.
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

    /// The programs of a workspace.
    pub fn programs(&self) -> Vec<&'static str> {
        let has_main = |program: &&&str| {
            let main = Path::new(program).join("src/main.rs");
            self.files.contains_key(&main)
        };
        PROGRAMS.iter().filter(has_main).copied().collect()
    }

    /// The paths of the files in a folder of it.
    pub fn paths_in<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = PathBuf> + 'a {
        let paths = self.files.keys();
        paths.filter(move |path| path.starts_with(folder)).cloned()
    }

    /// A file's text; `None` where there is no such file, or it is no text.
    pub fn text(&self, path: &Path) -> Option<String> {
        String::from_utf8(self.files.get(path)?.bytes.clone()).ok()
    }

    /// The scripts in Python.
    pub fn scripts(&self) -> impl Iterator<Item = String> {
        let paths = self.files.keys();
        let scripts =
            paths.filter(|path| path.extension().is_some_and(|extension| extension == "py"));
        scripts.map(|path| self.text(path).unwrap_or_default())
    }

    /// Tells whether a submission has changed.
    pub fn digest(&self) -> String {
        let mut hasher = DefaultHasher::new();
        for (path, taken) in &self.files {
            (path, &taken.bytes, taken.executable).hash(&mut hasher);
        }
        format!("{:016x}", hasher.finish())
    }
}

fn is_of_tools(path: &Path) -> bool {
    path.components()
        .any(|part| OF_TOOLS.iter().any(|name| part.as_os_str() == *name))
}

impl Reading {
    fn folder(&mut self, folder: &Path) -> Result<()> {
        let root = folder.canonicalize()?;
        // They may be too large to walk through.
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

    fn zip(&mut self, file: File) -> Result<()> {
        let mut archive = zip::ZipArchive::new(BufReader::new(file))?;
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
                    .push(format!("{} is no plain file", path.display()));
            }
        }
        Ok(())
    }

    fn take(&mut self, path: &Path, file: impl Read, executable: bool) -> Result<()> {
        let plain = path
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !plain {
            self.left_out.push(format!("{} leads out", path.display()));
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
                "it is larger than {} MB, or has more than {MOST_FILES} files",
                MOST_BYTES >> 20
            );
        }
        let path = path.components().collect();
        self.files.insert(path, Taken { bytes, executable });
        Ok(())
    }

    /// A workspace gives the sources of its programs, and nothing else. Many archives hold one folder that holds it all.
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
            left_out: self.left_out,
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
