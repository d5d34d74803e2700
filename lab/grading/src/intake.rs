//! The files that are taken from a submission, and those that are left out.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, ensure};
use judge::programs::handed_out::{COMMON, is_handed_out, is_of_tools};
use judge::programs::{PROGRAMS, workspace};

use crate::digest::Digest;
use crate::unpack::{ARCHIVES, Entry, EntryKind, each_entry};

/// The most that is taken from a submission: bytes and files.
const MOST_BYTES: u64 = 256 << 20;
const MOST_FILES: usize = 5_000;

/// How many files that were left out are named.
const MOST_NAMED: usize = 20;

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
    Ok(name[..name.len() - ending.map_or(0, |ending| ending.len())].to_string())
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
    left_out: Vec<LeftOut>,
}

#[derive(Clone, Debug)]
struct Taken {
    bytes: Vec<u8>,
    executable: bool,
}

/// A file that was left out although the student may have wanted to submit it, and why.
#[derive(Clone, Debug)]
struct LeftOut {
    path: PathBuf,
    why: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.display(), self.why)
    }
}

impl LeftOut {
    /// Whether this may be what a program misses: it is in the program's folder, has its name, or is used by all programs.
    fn concerns(&self, program: &str) -> bool {
        let first = self.path.components().next();
        let is_in = |folder: &str| first.is_some_and(|part| part.as_os_str() == folder);
        is_in(program) || is_in(COMMON) || self.path.file_stem().is_some_and(|stem| stem == program)
    }
}

/// A file that counts, and its size in bytes.
struct Listed {
    path: PathBuf,
    size: u64,
}

/// What a submission contains, without the contents.
#[derive(Default)]
struct Listing {
    files: Vec<Listed>,
    left_out: Vec<LeftOut>,
}

impl Intake {
    /// Reads a submission: a folder, or an archive (`.zip`, `.tar`, `.tar.gz`, `.tgz`). It is looked through twice, so that a file
    /// that does not count is not read, whatever its size.
    ///
    /// # Errors
    /// When it cannot be read, or is neither a folder nor an archive.
    pub fn read(source: &Path) -> Result<Self> {
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        let read = || -> Result<Self> {
            let mut listing = Listing::of(source)?;
            let root = listing.strip_only_folder();
            let kind = listing.keep_what_counts();
            listing.limit();
            let mut intake = Self {
                kind,
                files: contents(source, &root, &listing.files)?,
                left_out: listing.left_out,
            };
            if kind == Kind::Workspace {
                intake.keep_sources();
            }
            Ok(intake)
        };
        read().with_context(|| format!("{name} cannot be read"))
    }

    /// Drops what is only read to see whether it is as it was handed out.
    fn keep_sources(&mut self) {
        let all = std::mem::take(&mut self.files);
        let (sources, others) = all.into_iter().partition(|(path, _)| is_source(path));
        self.files = sources;
        for (path, taken) in others {
            if fs::read(workspace().join(&path)).ok() != Some(taken.bytes) {
                let why =
                    "is not as it was handed out; programs are built with the original".to_string();
                self.left_out.push(LeftOut { path, why });
            }
        }
    }

    /// The files that were left out although the student may have wanted to submit them, and why. If they are many, only the
    /// first ones, and how many there are.
    pub fn left_out(&self) -> Vec<String> {
        named(&self.left_out.iter().collect::<Vec<_>>())
    }

    /// Those of [`Intake::left_out`] that a program may miss.
    pub fn left_out_of(&self, program: &str) -> Vec<String> {
        let all = self.left_out.iter();
        named(
            &all.filter(|file| file.concerns(program))
                .collect::<Vec<_>>(),
        )
    }

    /// Writes the files to a folder.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        for (path, taken) in &self.files {
            // An archive that was made on Windows does not say that its programs are executables.
            let executable = taken.executable || is_program(path);
            let path = folder.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&path, &taken.bytes)?;
            let mode = if executable { 0o755 } else { 0o644 };
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

    /// The digest of all files: their paths, contents and executable bits, and what was left out.
    pub fn digest(&self) -> String {
        let mut digest = Digest::default();
        for (path, taken) in &self.files {
            digest
                .field(path.as_os_str().as_bytes())
                .field(&taken.bytes)
                .field([u8::from(taken.executable)]);
        }
        // Verdicts name them.
        for file in &self.left_out {
            digest.field(file.to_string());
        }
        digest.hex()
    }
}

/// Names these files, or only the first ones and how many there are.
fn named(files: &[&LeftOut]) -> Vec<String> {
    let mut names: Vec<String> = files
        .iter()
        .take(MOST_NAMED)
        .map(ToString::to_string)
        .collect();
    if files.len() > MOST_NAMED {
        names.push(format!("and {} more", files.len() - MOST_NAMED));
    }
    names
}

fn is_program(path: &Path) -> bool {
    PROGRAMS.iter().any(|program| path == Path::new(program))
}

/// Is this an executable or a script with the name of a program?
fn is_program_or_script(path: &Path) -> bool {
    is_program(&path.with_extension(""))
        && path.extension().is_none_or(|extension| extension == "py")
}

/// Is this a file from which a program is built? It need not be Rust: `include_str!` may read it.
fn is_source(path: &Path) -> bool {
    let mut programs = PROGRAMS.iter();
    programs.any(|program| path.starts_with(Path::new(program).join("src")))
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

/// Reads these files of a submission. Their paths begin at `root`.
fn contents(source: &Path, root: &Path, files: &[Listed]) -> Result<BTreeMap<PathBuf, Taken>> {
    let sizes: BTreeMap<&Path, u64> = files.iter().map(|file| (&*file.path, file.size)).collect();
    let mut contents = BTreeMap::new();
    each_entry(source, &mut |entry| {
        let path = normal(&entry.path);
        let Ok(path) = path.strip_prefix(root) else {
            return Ok(());
        };
        if let Some(size) = sizes.get(path).filter(|_| entry.kind == EntryKind::Plain) {
            let mut bytes = Vec::new();
            let read = entry.content.take(size + 1).read_to_end(&mut bytes);
            read.with_context(|| path.display().to_string())?;
            ensure!(
                bytes.len() as u64 <= *size,
                "{} is larger than it is said to be",
                path.display()
            );
            let executable = entry.executable;
            contents.insert(path.to_path_buf(), Taken { bytes, executable });
        }
        Ok(())
    })?;
    Ok(contents)
}

/// The same path, without `.` in it.
fn normal(path: &Path) -> PathBuf {
    let parts = path.components();
    parts.filter(|part| *part != Component::CurDir).collect()
}

impl Listing {
    fn of(source: &Path) -> Result<Self> {
        let mut listing = Self::default();
        each_entry(source, &mut |entry| {
            listing.add(&entry);
            Ok(())
        })?;
        Ok(listing)
    }

    fn add(&mut self, entry: &Entry) {
        let path = normal(&entry.path);
        let is_plain = |part| matches!(part, Component::Normal(_));
        if !path.components().all(is_plain) {
            self.leave_out(path, "leads out of the submission");
            return;
        }
        match entry.kind {
            EntryKind::Plain => {
                let size = entry.size;
                self.files.push(Listed { path, size });
            }
            EntryKind::Link => self.leave_out(path, "is a link"),
            EntryKind::Other => self.leave_out(path, "is not a plain file"),
        }
    }

    fn leave_out(&mut self, path: PathBuf, why: impl Into<String>) {
        let why = why.into();
        self.left_out.push(LeftOut { path, why });
    }

    /// If everything is in one folder, as in many archives, paths begin in that folder from now on. Returns the folder.
    fn strip_only_folder(&mut self) -> PathBuf {
        let Some(folder) = self.only_folder() else {
            return PathBuf::new();
        };
        let files = self.files.iter_mut().map(|file| &mut file.path);
        for path in files.chain(self.left_out.iter_mut().map(|file| &mut file.path)) {
            if let Ok(inside) = path.strip_prefix(&folder) {
                *path = inside.to_path_buf();
            }
        }
        folder
    }

    fn only_folder(&self) -> Option<PathBuf> {
        let first = self.files.first()?.path.components().next()?;
        let folder = PathBuf::from(first.as_os_str());
        let holds_all = self
            .files
            .iter()
            .all(|file| file.path.components().count() > 1 && file.path.starts_with(&folder));
        (holds_all && !is_program(&folder)).then_some(folder)
    }

    /// Keeps the files that count. In a workspace, these are the sources of its programs; besides them, it keeps those that must be
    /// as they were handed out. Of the others, it names those that belong to a program.
    fn keep_what_counts(&mut self) -> Kind {
        let mut paths = self.files.iter().map(|file| &*file.path);
        if !paths.any(|path| is_source(path) && is_rust(path)) {
            return Kind::Programs;
        }
        for file in std::mem::take(&mut self.files) {
            let path = &file.path;
            let first = path.components().next();
            let is_below_program = first.is_some_and(|part| is_program(part.as_os_str().as_ref()));
            if is_source(path) || is_handed_out(path) {
                self.files.push(file);
            } else if is_program_or_script(path) {
                let why = "is not a source: this is a workspace, whose programs are built";
                self.leave_out(file.path, why);
            } else if is_below_program && !is_of_tools(path) {
                self.leave_out(file.path, "is not in the folder `src` of its program");
            }
        }
        Kind::Workspace
    }

    /// Leaves out what is too much. Programs and Rust sources come first, and then the smaller files.
    fn limit(&mut self) {
        let comes_first =
            |path: &Path| is_program_or_script(path) || is_source(path) && is_rust(path);
        let mut files = std::mem::take(&mut self.files);
        files.sort_by_key(|file| (!comes_first(&file.path), file.size));
        let mut bytes = 0;
        for file in files {
            let with_it = file.size.saturating_add(bytes);
            if with_it > MOST_BYTES || self.files.len() >= MOST_FILES {
                let limit = MOST_BYTES >> 20;
                let why = format!("is too much: grading takes {limit} MB and {MOST_FILES} files");
                self.leave_out(file.path, why);
            } else {
                bytes = with_it;
                self.files.push(file);
            }
        }
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
        let error = format!("{:#}", Intake::read(file.path()).unwrap_err());
        assert!(error.contains("neither a folder nor an archive"), "{error}");
    }

    /// Reads a folder with these files, whose texts are given.
    fn read(files: &[(&str, &str)]) -> (tempfile::TempDir, Intake) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let intake = Intake::read(folder.path()).unwrap();
        (folder, intake)
    }

    const MAIN: (&str, &str) = ("producer/src/main.rs", "fn main() {}");

    #[test]
    fn everything_in_src_is_taken_and_the_rest_of_a_program_is_named() {
        let (_folder, intake) = read(&[
            MAIN,
            ("producer/src/schema.sql", "CREATE"),
            ("producer/build.rs", "fn main() {}"),
            ("producer/Cargo.toml", "anyhow = 1"),
            ("billing.py", "print(1)"),
            ("notes/todo.md", "sleep"),
            ("producer/.DS_Store", ""),
        ]);
        assert_eq!(intake.paths_in(Path::new("")).count(), 2);
        let of_producer = intake.left_out_of("producer").join("; ");
        assert!(
            of_producer.contains("producer/build.rs is not in the folder `src`"),
            "{of_producer}"
        );
        assert!(
            of_producer.contains("producer/Cargo.toml is not as it was"),
            "{of_producer}"
        );
        let of_billing = intake.left_out_of("billing").join("; ");
        assert!(
            of_billing.starts_with("billing.py is not a source"),
            "{of_billing}"
        );
        assert_eq!(intake.left_out().len(), 3);
    }

    #[test]
    fn what_is_as_it_was_handed_out_is_not_named() {
        let manifest = fs::read_to_string(workspace().join("producer/Cargo.toml")).unwrap();
        let names = fs::read_to_string(workspace().join("common/src/names.rs")).unwrap();
        let (_folder, intake) = read(&[
            MAIN,
            ("producer/Cargo.toml", &manifest),
            ("common/src/names.rs", &names),
        ]);
        assert!(intake.left_out().is_empty(), "{:?}", intake.left_out());
    }

    #[test]
    fn large_files_and_many_files_beside_the_sources_do_no_harm() {
        let (folder, _) = read(&[MAIN]);
        let large = fs::File::create(folder.path().join("download.tgz")).unwrap();
        large.set_len(2 * MOST_BYTES).unwrap();
        let modules = folder.path().join("node_modules");
        fs::create_dir(&modules).unwrap();
        for number in 0..=MOST_FILES {
            fs::write(modules.join(number.to_string()), "").unwrap();
        }
        let intake = Intake::read(folder.path()).unwrap();
        assert_eq!(intake.programs(), ["producer"]);
        assert!(intake.left_out().is_empty());
    }

    #[test]
    fn of_too_many_files_the_programs_are_taken_and_some_others_are_named() {
        let (folder, _) = read(&[("producer.py", "print(1)"), ("data/small", "1")]);
        let large = fs::File::create(folder.path().join("data/large")).unwrap();
        large.set_len(2 * MOST_BYTES).unwrap();
        let intake = Intake::read(folder.path()).unwrap();
        assert_eq!(intake.paths_in(Path::new("")).count(), 2);
        let left_out = intake.left_out().join("; ");
        assert!(left_out.starts_with("data/large is too much"), "{left_out}");
    }
}
