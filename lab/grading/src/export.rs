//! The repository to hand out: all that students need, and no solutions.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use checks::programs::{PROGRAMS, workspace};
use toml_edit::{DocumentMut, Item};
use walkdir::WalkDir;

/// What goes along as it is, besides the programs: files, and folders with all that is in them.
const ALONG: &[&str] = &[
    ".cargo",
    ".gitignore",
    "Cargo.lock",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "broker",
    "common",
    "compose.yaml",
    "confine",
    "grading",
    "lab",
    "pages",
    "tests/hints",
    "tests/src",
];

/// Members of the workspace that stay here, and what they are called as dependencies.
const STAY: &[(&str, &str)] = &[("solutions", "solutions"), ("tests/bank", "bank")];

/// What the tests that are handed out stand on. Not testcontainers: where Docker answers, its own command will do, and the
/// first build is half as long.
const OF_TESTS: &[&str] = &["ctrlc", "libtest-mimic"];

/// The sections of the README that students read.
const SECTIONS: &[&str] = &["## What must be installed", "## For students"];

/// The page in `docs` that goes along with the task sheets.
const CONTRACT: &str = "contract.md";

/// What is made for it alone, and where it goes.
const OF_ITS_OWN: &[(&str, &str)] = &[
    ("handout/ci.yml", ".github/workflows/ci.yml"),
    ("handout/tests.rs", "tests/tests/main.rs"),
];

/// Makes the repository in a new folder.
///
/// # Errors
/// When the folder is there already and holds something, or cannot be written; when this workspace was handed out itself.
pub fn export(to: &Path) -> Result<()> {
    let from = workspace();
    if !from.join("handout").exists() {
        bail!("this workspace was handed out itself: what others would need is not in it");
    }
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
        copy(&from.join(here), &to.join(there))?;
    }
    write(&to.join("Cargo.toml"), &root_manifest()?)?;
    write(&to.join("tests/Cargo.toml"), &manifest_of_checks()?)?;
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

fn manifest(path: &str) -> Result<DocumentMut> {
    Ok(fs::read_to_string(workspace().join(path))?.parse()?)
}

fn root_manifest() -> Result<String> {
    let mut root = manifest("Cargo.toml")?;
    let workspace = root["workspace"].as_table_mut().context("no [workspace]")?;
    let members = workspace["members"].as_array_mut().context("no members")?;
    members.retain(|member| {
        let stays = |(path, _): &(&str, &str)| member.as_str() == Some(path);
        !STAY.iter().any(stays)
    });
    let dependencies = workspace["dependencies"]
        .as_table_mut()
        .context("no dependencies")?;
    for (_, name) in STAY {
        dependencies.remove(name);
    }
    Ok(root.to_string())
}

fn manifest_of_checks() -> Result<String> {
    let mut checks = manifest("tests/Cargo.toml")?;
    let of_tests = checks
        .get_mut("dev-dependencies")
        .and_then(Item::as_table_mut);
    let of_tests = of_tests.context("no [dev-dependencies]")?;
    of_tests.retain(|name, _| OF_TESTS.contains(&name));
    Ok(checks.to_string())
}

/// The sections for students of our own README, under a head of their own.
fn readme() -> Result<String> {
    let mut text = fs::read_to_string(workspace().join("handout/README.md"))?;
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
