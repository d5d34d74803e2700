//! The files that are taken from a submission.

mod packed;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use cluster::printable;
use judge::programs::{PROGRAMS, workspace};

use crate::digest::Digest;
use crate::listing::{LeftOut, Listed, Listing};
use crate::programs_folder::{Programs, is_source};
use crate::unpack::{EntryKind, archive_name, each_entry, is_other_archive, normal};

/// How many archives may be inside one another: a platform may pack a class whose submissions are archives of archives.
const MOST_NESTED: usize = 3;

/// How many files are named that were left out, and that do not belong to any program.
const MOST_NAMED: usize = 20;
const NAMED: usize = 5;

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
    let name = archive_name(&name).unwrap_or(&name);
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
    /// The folder in which the programs are.
    pub folder: PathBuf,
    files: BTreeMap<PathBuf, Taken>,
    left_out: Vec<LeftOut>,
}

#[derive(Clone, Debug)]
struct Taken {
    bytes: Vec<u8>,
    executable: bool,
}

impl Intake {
    /// Reads a submission: a folder, or an archive. If it contains no programs, but archives, these are unpacked. It is looked
    /// through more than once, so that a file that does not count is not read, whatever its size.
    ///
    /// # Errors
    /// When it cannot be read, or is neither a folder nor an archive; when it contains files, but no programs; and when there are
    /// programs in several of its folders.
    pub fn read(source: &Path) -> Result<Self> {
        let name = crate::unpack::name_of(source);
        let mut opened = BTreeSet::new();
        let mut list = || -> Result<Listing> {
            let mut listing = Listing::of(source, &opened)?;
            for _ in 0..MOST_NESTED {
                let known = opened.len();
                if listing.programs_folder() == Programs::Nowhere {
                    opened.extend(listing.archives());
                }
                if opened.len() == known {
                    break;
                }
                listing = Listing::of(source, &opened)?;
            }
            Ok(listing)
        };
        let unreadable = || format!("{name} cannot be read");
        let mut listing = list().with_context(unreadable)?;
        let folder = match listing.programs_folder() {
            Programs::In(folder) => folder,
            // Then each program counts as not submitted.
            Programs::Nowhere if listing.files.is_empty() => PathBuf::new(),
            Programs::Nowhere => bail!(no_programs(&listing.files)),
            Programs::InSeveral(folders) => bail!(
                "there are programs in several folders: {}. Submit one folder that contains all your programs. (Is this a \
                 whole class? Then each submission must be named: `cargo lab grade class/*`)",
                list_of(folders.iter())
            ),
        };
        // Paths of a workspace begin in its folder, and those of programs where the submission begins.
        let (kind, root, folder) = if listing.keep_what_counts(&folder) {
            (Kind::Workspace, folder, PathBuf::new())
        } else {
            (Kind::Programs, PathBuf::new(), folder)
        };
        let files = contents(source, &opened, &root, &listing.files).with_context(unreadable)?;
        let left_out = listing.left_out;
        let mut intake = Self {
            kind,
            folder,
            files,
            left_out,
        };
        match kind {
            Kind::Workspace => intake.keep_sources(),
            Kind::Programs => intake.make_programs_executable(),
        }
        Ok(intake)
    }

    /// An archive that was made on Windows does not say that a file is executable.
    fn make_programs_executable(&mut self) {
        for program in PROGRAMS {
            if let Some(taken) = self.files.get_mut(&self.folder.join(program)) {
                taken.executable = true;
            }
        }
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

/// Reads these files of a submission. Their paths begin at `root`.
fn contents(
    source: &Path,
    opened: &BTreeSet<PathBuf>,
    root: &Path,
    files: &[Listed],
) -> Result<BTreeMap<PathBuf, Taken>> {
    let sizes: BTreeMap<&Path, u64> = files.iter().map(|file| (&*file.path, file.size)).collect();
    let mut contents = BTreeMap::new();
    each_entry(source, opened, &mut |entry| {
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

/// What to say about a submission that contains none of the programs.
fn no_programs(files: &[Listed]) -> String {
    let mut message = format!(
        "none of the programs is in the submission. A program is a source such as producer/src/main.rs, an executable such as \
         producer, or a script such as producer.py. The submission contains {}",
        list_of(files.iter().map(|file| &file.path))
    );
    let is_other = |file: &&Listed| is_other_archive(&file.path.to_string_lossy());
    if let Some(archive) = files.iter().find(is_other) {
        message += &format!(
            ". {} cannot be unpacked: submit a .zip or .tar.gz archive instead",
            printable(&archive.path.display().to_string())
        );
    }
    message
}

/// The first of these paths, and how many more there are.
fn list_of<'a>(paths: impl ExactSizeIterator<Item = &'a PathBuf>) -> String {
    let more = paths.len().saturating_sub(NAMED);
    let named: Vec<String> = paths
        .take(NAMED)
        .map(|path| printable(&path.display().to_string()))
        .collect();
    let rest = match more {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    named.join(", ") + &rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::{MOST_BYTES, MOST_FILES};

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

    /// What is read from a folder with these empty files.
    fn read(files: &[&str]) -> Result<Intake> {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        Intake::read(folder.path())
    }

    #[test]
    fn a_workspace_is_found_beside_other_files() {
        let files = [
            ".DS_Store",
            "report.pdf",
            "kafka-lab/README.md",
            "kafka-lab/producer/src/main.rs",
        ];
        let intake = read(&files).unwrap();
        assert_eq!(intake.kind, Kind::Workspace);
        let paths: Vec<&PathBuf> = intake.files.keys().collect();
        assert_eq!(paths, [Path::new("producer/src/main.rs")]);
    }

    #[test]
    fn programs_keep_the_files_beside_their_folder_and_are_executable() {
        let intake = read(&["app/bin/producer", "app/lib/all.jar"]).unwrap();
        assert_eq!(intake.kind, Kind::Programs);
        assert_eq!(intake.folder, Path::new("app/bin"));
        let executable = |path: &str| intake.files[Path::new(path)].executable;
        assert!(executable("app/bin/producer") && !executable("app/lib/all.jar"));
    }

    #[test]
    fn a_student_is_told_why_no_programs_were_found() {
        let error = |files: &[&str]| read(files).unwrap_err().to_string();
        let none = error(&["kafka.rar", "Producer.py"]);
        assert!(none.contains("Producer.py, kafka.rar"), "{none}");
        assert!(none.contains("kafka.rar cannot be unpacked"), "{none}");
        let several = error(&["old/producer.py", "new/producer.py"]);
        assert!(several.contains("several folders: new, old."), "{several}");
        let many: Vec<String> = (0..7).map(|number| format!("{number}.pdf")).collect();
        let many = error(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(many.contains("4.pdf, and 2 more"), "{many}");
    }

    /// Reads a folder with these files, whose texts are given.
    fn read_texts(files: &[(&str, &str)]) -> (tempfile::TempDir, Intake) {
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
        let (_folder, intake) = read_texts(&[
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
        let (_folder, intake) = read_texts(&[
            MAIN,
            ("producer/Cargo.toml", &manifest),
            ("common/src/names.rs", &names),
        ]);
        assert!(intake.left_out().is_empty(), "{:?}", intake.left_out());
    }

    #[test]
    fn large_files_and_many_files_beside_the_sources_do_no_harm() {
        let (folder, _) = read_texts(&[MAIN]);
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
        let (folder, _) = read_texts(&[("producer.py", "print(1)"), ("data/small", "1")]);
        let large = fs::File::create(folder.path().join("data/large")).unwrap();
        large.set_len(2 * MOST_BYTES).unwrap();
        let intake = Intake::read(folder.path()).unwrap();
        assert_eq!(intake.paths_in(Path::new("")).count(), 2);
        let left_out = intake.left_out().join("; ");
        assert!(left_out.starts_with("data/large is too much"), "{left_out}");
    }
}
