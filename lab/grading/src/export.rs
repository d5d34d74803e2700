//! The repository to hand out: everything that students need, and no solutions.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use judge::programs::handed_out::{RECORD, record};
use judge::programs::{PROGRAMS, workspace};
use toml_edit::DocumentMut;
use walkdir::WalkDir;

/// Files and folders that are copied to the new repository unchanged, in addition to the programs.
const COPIED: &[&str] = &[
    ".cargo",
    ".gitattributes",
    ".gitignore",
    "Cargo.lock",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "common",
    "compose.yaml",
    "docs/images/trade.svg",
    "lab/bench",
    "lab/broker",
    "lab/cli",
    "lab/cluster",
    "lab/confine",
    "lab/features",
    "lab/judge",
    "lab/pages",
    "lab/terminal",
    "lab/watch",
];

/// Members of the workspace that students do not get.
const NOT_FOR_STUDENTS: &[&str] = &["solutions", "solutions/measured", "tests/bank", GRADING];

/// The member that an autograder gets, but students do not.
const GRADING: &str = "lab/grading";

/// The sections of the README that students need.
const SECTIONS: &[&str] = &["## What must be installed", "## Tasks"];

/// The pages in `docs` that are handed out together with the task sheets.
const PAGES: &[&str] = &["clients.md", "commands.md", "contract.md", "history.md"];

/// Files in the handout folder, and where they are in the new repository.
const HANDOUT: &[(&str, &str)] = &[
    ("ci.yml", ".github/workflows/ci.yml"),
    ("tests/Cargo.toml", "tests/Cargo.toml"),
    ("tests/main.rs", "tests/tests/main.rs"),
];

/// Who the repository is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    Students,
    /// Gets the same as students, and the grading commands.
    Autograder,
}

/// The folder with the files that only the new repository has.
pub fn handout() -> PathBuf {
    workspace().join(GRADING).join("handout")
}

/// Refuses a folder that exists and is not empty.
///
/// # Errors
/// When it is such a folder.
pub(crate) fn ensure_empty(folder: &Path) -> Result<()> {
    let is_empty = fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    ensure!(
        is_empty,
        "{} is not empty. Name a folder that is new or empty",
        folder.display()
    );
    Ok(())
}

/// Makes the repository in a new folder.
///
/// # Errors
/// When the folder exists and is not empty, or when a file cannot be read or written.
pub fn export(to: &Path, recipient: Recipient) -> Result<()> {
    let from = workspace();
    ensure_empty(to)?;
    for path in COPIED.iter().chain(PROGRAMS) {
        copy(&from.join(path), &to.join(path))?;
    }
    for entry in fs::read_dir(from.join("docs"))? {
        let page = entry?;
        let name = page.file_name();
        let name = name.to_string_lossy();
        if PAGES.contains(&&*name) || name.starts_with("task") {
            copy(&page.path(), &to.join("docs").join(&*name))?;
        }
    }
    for (here, there) in HANDOUT {
        copy(&handout().join(here), &to.join(there))?;
    }
    let mut left_out = NOT_FOR_STUDENTS.to_vec();
    if recipient == Recipient::Autograder {
        copy(&from.join(GRADING), &to.join(GRADING))?;
        left_out.retain(|member| *member != GRADING);
    }
    write(&to.join("Cargo.toml"), &root_manifest(&left_out)?)?;
    write(&to.join(RECORD), &record()?)?;
    write(&to.join("README.md"), &readme()?)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in WalkDir::new(from) {
        let entry = entry?;
        let path = to.join(entry.path().strip_prefix(from)?);
        if entry.file_type().is_file() {
            // Joining an empty path would add a slash at the end, and a file's path must not have one.
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
    let parent = file
        .parent()
        .with_context(|| format!("{} is not a file", file.display()))?;
    fs::create_dir_all(parent).with_context(|| parent.display().to_string())
}

/// The manifest of the workspace, without these members.
fn root_manifest(left_out: &[&str]) -> Result<String> {
    let text = fs::read_to_string(workspace().join("Cargo.toml"))?;
    let mut root: DocumentMut = text.parse()?;
    let members = root["workspace"]["members"].as_array_mut();
    let members = members.context("the workspace has no members")?;
    members.retain(|member| !member.as_str().is_some_and(|name| left_out.contains(&name)));
    Ok(root.to_string())
}

/// The README for students: the handout's own README, followed by some sections of the README of this workspace.
fn readme() -> Result<String> {
    let mut text = fs::read_to_string(handout().join("README.md"))?;
    let ours = fs::read_to_string(workspace().join("README.md"))?;
    for section in SECTIONS {
        let (_, rest) = ours
            .split_once(section)
            .with_context(|| format!("README.md has no section {section}"))?;
        let body = rest.split_once("\n## ").map_or(rest, |(body, _)| body);
        text += &format!("\n{section}{}\n", body.trim_end());
    }
    Ok(text)
}
