//! The repository to hand out: all that students need, and no solutions.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use judge::programs::{PROGRAMS, workspace};
use toml_edit::DocumentMut;
use walkdir::WalkDir;

/// What goes into the new repository unchanged, besides the programs: files, and folders with all their contents.
const ALONG: &[&str] = &[
    ".cargo",
    ".gitignore",
    "Cargo.lock",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "common",
    "compose.yaml",
    "lab/broker",
    "lab/cli",
    "lab/cluster",
    "lab/confine",
    "lab/judge",
    "lab/pages",
    "lab/terminal",
    "lab/watch",
];

/// Members of the workspace that stay here, unless grading goes along.
const STAY: &[&str] = &["solutions", "tests/bank", GRADING];

/// Goes along to an autograder, not to students.
const GRADING: &str = "lab/grading";

/// The sections of the README that students read.
const SECTIONS: &[&str] = &["## What must be installed", "## For students"];

/// The page in `docs` that goes along with the task sheets.
const CONTRACT: &str = "contract.md";

/// Files that are made for students, and where they go.
const OF_ITS_OWN: &[(&str, &str)] = &[
    ("ci.yml", ".github/workflows/ci.yml"),
    ("tests/Cargo.toml", "tests/Cargo.toml"),
    ("tests/main.rs", "tests/tests/main.rs"),
];

/// For whom a repository is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    Students,
    /// The same, and what grades them.
    Autograder,
}

/// The folder of files that only the handed-out repository has.
pub fn handout() -> PathBuf {
    workspace().join(GRADING).join("handout")
}

/// Makes the repository in a new folder.
///
/// # Errors
/// When the folder exists and is not empty, or cannot be written.
pub fn export(to: &Path, recipient: Recipient) -> Result<()> {
    let from = workspace();
    let is_empty = fs::read_dir(to).map_or(true, |mut entries| entries.next().is_none());
    ensure!(is_empty, "{} is not empty", to.display());
    for path in ALONG.iter().chain(PROGRAMS) {
        copy(&from.join(path), &to.join(path))?;
    }
    for entry in fs::read_dir(from.join("docs"))? {
        let page = entry?;
        let name = page.file_name();
        if name == CONTRACT || name.to_string_lossy().starts_with("task") {
            copy(&page.path(), &to.join("docs").join(name))?;
        }
    }
    for (here, there) in OF_ITS_OWN {
        copy(&handout().join(here), &to.join(there))?;
    }
    let mut stay = STAY.to_vec();
    if recipient == Recipient::Autograder {
        copy(&from.join(GRADING), &to.join(GRADING))?;
        stay.retain(|member| *member != GRADING);
    }
    write(&to.join("Cargo.toml"), &root_manifest(&stay)?)?;
    write(&to.join("README.md"), &readme()?)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in WalkDir::new(from) {
        let entry = entry?;
        let path = to.join(entry.path().strip_prefix(from)?);
        if entry.file_type().is_file() {
            // Joining nothing to a file's path would make it a folder's.
            let path = if entry.depth() == 0 { to } else { &path };
            make_parent(path)?;
            fs::copy(entry.path(), path).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<()> {
    make_parent(file)?;
    fs::write(file, text).with_context(|| file.display().to_string())
}

fn make_parent(file: &Path) -> Result<()> {
    let parent = file.parent().context("no folder")?;
    fs::create_dir_all(parent).with_context(|| parent.display().to_string())
}

/// The manifest of the workspace, without the members that stay here.
fn root_manifest(stay: &[&str]) -> Result<String> {
    let text = fs::read_to_string(workspace().join("Cargo.toml"))?;
    let mut root: DocumentMut = text.parse()?;
    let members = root["workspace"]["members"].as_array_mut();
    let members = members.context("the workspace has no members")?;
    members.retain(|member| !member.as_str().is_some_and(|name| stay.contains(&name)));
    Ok(root.to_string())
}

/// The sections for students of our own README, under a head of their own.
fn readme() -> Result<String> {
    let mut text = fs::read_to_string(handout().join("README.md"))?;
    let ours = fs::read_to_string(workspace().join("README.md"))?;
    for section in SECTIONS {
        let (_, rest) = ours
            .split_once(section)
            .with_context(|| format!("no {section}"))?;
        let body = rest.split_once("\n## ").map_or(rest, |(body, _)| body);
        text += &format!("\n{section}{}\n", body.trim_end());
    }
    Ok(text)
}
