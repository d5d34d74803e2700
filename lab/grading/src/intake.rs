//! The files that are taken from a submission. Everything else is ignored.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cluster::printable;
use judge::programs::PROGRAMS;

use crate::digest::Digest;
use crate::programs_folder::{Programs, is_source, programs_folder};
use crate::submitted_files::{SubmittedFiles, Taken, archive_name, is_other_archive};

/// How many archives may be inside one another: a platform may pack a class whose submissions are archives of archives.
const MOST_NESTED: usize = 3;

/// How many files are named that do not belong to any program.
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
    /// Which files were left out that the student may have wanted to submit, and why: links, and paths that lead out of the
    /// submission.
    pub left_out: Vec<String>,
}

impl Intake {
    /// Reads a submission: a folder, or an archive. If it contains no programs, but archives, these are unpacked.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or is neither a folder nor an archive; when it contains files, but no programs; and
    /// when there are programs in several of its folders.
    pub fn read(source: &Path) -> Result<Self> {
        let mut submitted = SubmittedFiles::read(source)?;
        for _ in 0..MOST_NESTED {
            if folder_of(&submitted) != Programs::Nowhere || !submitted.unpack_archives()? {
                break;
            }
        }
        match folder_of(&submitted) {
            Programs::In(folder) => Ok(Self::of_programs(submitted, folder)),
            // Then each program counts as not submitted.
            Programs::Nowhere if submitted.files.is_empty() => Ok(Self {
                left_out: submitted.left_out,
                ..Self::default()
            }),
            Programs::Nowhere => bail!(no_programs(&submitted)),
            Programs::InSeveral(folders) => bail!(
                "there are programs in several folders: {}. Submit one folder that contains all your programs. (Is this a \
                 whole class? Then each submission must be named: `cargo lab grade class/*`)",
                list(folders.iter())
            ),
        }
    }

    /// The files that count. If there is a workspace, these are only the sources of its programs. Otherwise, these are all files,
    /// because a program in one folder may need files in another.
    fn of_programs(submitted: SubmittedFiles, folder: PathBuf) -> Self {
        let SubmittedFiles {
            files, left_out, ..
        } = submitted;
        let sources: BTreeMap<PathBuf, Taken> = files
            .iter()
            .filter_map(|(path, taken)| Some((path.strip_prefix(&folder).ok()?, taken)))
            .filter(|(path, _)| is_source(path))
            .map(|(path, taken)| (path.to_path_buf(), taken.clone()))
            .collect();
        if !sources.is_empty() {
            return Self {
                kind: Kind::Workspace,
                folder: PathBuf::new(),
                files: sources,
                left_out,
            };
        }
        let mut files = files;
        for program in PROGRAMS {
            // An archive that was made on Windows does not say that a file is executable.
            if let Some(taken) = files.get_mut(&folder.join(program)) {
                taken.executable = true;
            }
        }
        Self {
            kind: Kind::Programs,
            folder,
            files,
            left_out,
        }
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

fn folder_of(submitted: &SubmittedFiles) -> Programs {
    programs_folder(submitted.files.keys().map(PathBuf::as_path))
}

/// What to say about a submission that contains none of the programs.
fn no_programs(submitted: &SubmittedFiles) -> String {
    let mut message = format!(
        "none of the programs is in the submission. A program is a source such as producer/src/main.rs, an executable such as \
         producer, or a script such as producer.py. The submission contains {}",
        list(submitted.files.keys())
    );
    let is_other = |path: &&PathBuf| is_other_archive(&path.to_string_lossy());
    if let Some(archive) = submitted.files.keys().find(is_other) {
        message += &format!(
            ". {} cannot be unpacked: submit a .zip or .tar.gz archive instead",
            printable(&archive.display().to_string())
        );
    }
    message
}

/// The first of these paths, and how many more there are.
fn list<'a>(paths: impl ExactSizeIterator<Item = &'a PathBuf>) -> String {
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
}
