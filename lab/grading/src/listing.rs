//! What a submission contains: which files count, and which are left out. Nothing is read here, so that a file that does not
//! count does no harm, whatever its size.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use cluster::printable;
use judge::programs::PROGRAMS;
use judge::programs::handed_out::{COMMON, is_handed_out, is_of_tools};

use crate::programs_folder::{
    Programs, is_executable_or_script, is_rust_source, is_source, programs_folder,
};
use crate::unpack::{Entry, EntryKind, archive_name, each_entry, name_of, normal};

/// The most that is taken from a submission: bytes and files.
pub const MOST_BYTES: u64 = 256 << 20;
pub const MOST_FILES: usize = 5_000;

/// A file that was left out although the student may have wanted to submit it, and why.
#[derive(Clone, Debug)]
pub struct LeftOut {
    pub path: PathBuf,
    pub why: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = printable(&self.path.display().to_string());
        write!(f, "{path} {}", self.why)
    }
}

impl LeftOut {
    /// Whether this may be what a program misses: it is in the program's folder, has its name, or is used by all programs.
    pub fn concerns(&self, program: &str) -> bool {
        let first = self.path.components().next();
        let is_in = |folder: &str| first.is_some_and(|part| part.as_os_str() == folder);
        is_in(program) || is_in(COMMON) || self.path.file_stem().is_some_and(|stem| stem == program)
    }
}

/// A file that counts, and its size in bytes.
pub struct Listed {
    pub path: PathBuf,
    pub size: u64,
}

/// What a submission contains, without the contents.
#[derive(Default)]
pub struct Listing {
    pub files: Vec<Listed>,
    pub left_out: Vec<LeftOut>,
}

impl Listing {
    /// Lists a submission, and what is in these archives inside of it.
    ///
    /// # Errors
    /// When it cannot be read, is neither a folder nor an archive, or is too large to be looked through.
    pub fn of(source: &Path, opened: &BTreeSet<PathBuf>) -> Result<Self> {
        let mut listing = Self::default();
        each_entry(source, opened, &mut |entry| {
            listing.add(&entry);
            Ok(())
        })?;
        listing
            .files
            .sort_by(|one, other| one.path.cmp(&other.path));
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

    /// Where its programs are.
    pub fn programs_folder(&self) -> Programs {
        programs_folder(self.files.iter().map(|file| &*file.path))
    }

    /// The archives among its files.
    pub fn archives(&self) -> impl Iterator<Item = PathBuf> {
        let paths = self.files.iter().map(|file| &file.path);
        let archives = paths.filter(|path| archive_name(&name_of(path)).is_some());
        archives.cloned()
    }

    /// Paths begin in this folder from now on; what is not in it is dropped.
    fn strip(&mut self, folder: &Path) {
        let strip = |path: &mut PathBuf| {
            let inside = path.strip_prefix(folder).map(Path::to_path_buf);
            inside.map(|inside| *path = inside).is_ok()
        };
        self.files.retain_mut(|file| strip(&mut file.path));
        self.left_out.retain_mut(|file| strip(&mut file.path));
    }

    /// Keeps the files that count if the programs are in this folder. Returns whether it is a workspace. Then these are the
    /// sources of its programs, and what must be as it was handed out, by their paths in the folder; of the others, those that
    /// belong to a program are named. Otherwise, these are all files, because a program in one folder may need files in another.
    pub fn keep_what_counts(&mut self, folder: &Path) -> bool {
        let is_of_workspace = |file: &Listed| {
            let path = file.path.strip_prefix(folder);
            path.is_ok_and(is_rust_source)
        };
        if !self.files.iter().any(is_of_workspace) {
            self.limit(|path| path.strip_prefix(folder).is_ok_and(is_executable_or_script));
            return false;
        }
        self.strip(folder);
        for file in std::mem::take(&mut self.files) {
            let path = &file.path;
            let first = path.components().next();
            let is_below_program = first.is_some_and(|part| is_program(part.as_os_str().as_ref()));
            if is_source(path) || is_handed_out(path) {
                self.files.push(file);
            } else if is_executable_or_script(path) {
                let why = "is not a source: this is a workspace, whose programs are built";
                self.leave_out(file.path, why);
            } else if is_below_program && !is_of_tools(path) {
                self.leave_out(file.path, "is not in the folder `src` of its program");
            }
        }
        self.limit(is_rust_source);
        true
    }

    /// Leaves out what is too much. Smaller files come before larger ones.
    fn limit(&mut self, comes_first: impl Fn(&Path) -> bool) {
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

fn is_program(path: &Path) -> bool {
    PROGRAMS.iter().any(|program| path == Path::new(program))
}
