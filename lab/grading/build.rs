//! Links the grader, and compiles in what identifies this lab: a digest of everything that a verdict can depend on. It is the
//! same on every machine that has the same sources, wherever they are and whenever they were built.

#[path = "../confine/linking.rs"]
mod linking;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use walkdir::WalkDir;

/// The files and folders, from the root of the workspace. An autograder for a platform has no solutions.
const SOURCES: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "billing",
    "common",
    "consumer",
    "consumer_crash",
    "consumer_group_a",
    "consumer_group_b",
    "exactly_once",
    "lab/broker",
    "lab/cluster",
    "lab/confine",
    "lab/features",
    "lab/grading",
    "lab/judge",
    "lab/pages",
    "producer",
    "solutions",
];

fn main() -> Result<(), Box<dyn Error>> {
    let this_crate = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let workspace = this_crate.ancestors().nth(2).unwrap_or(&this_crate);
    let mut digest = Sha256::new();
    let sources = SOURCES.iter().map(|source| workspace.join(source));
    for source in sources.filter(|source| source.exists()) {
        println!("cargo::rerun-if-changed={}", source.display());
        for file in files(&source)? {
            let path = file.strip_prefix(workspace)?.to_string_lossy().into_owned();
            let content = fs::read(&file)?;
            // Lengths come first. Otherwise bytes could move from one file to the next without changing the digest.
            digest.update((path.len() as u64).to_le_bytes());
            digest.update(path);
            digest.update((content.len() as u64).to_le_bytes());
            digest.update(content);
        }
    }
    let digest: String = digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    println!("cargo::rustc-env=LAB_DIGEST={digest}");
    linking::at_fixed_addresses();
    Ok(())
}

/// The file, or all files in the folder, in an order that does not depend on the machine.
fn files(source: &Path) -> Result<Vec<PathBuf>, walkdir::Error> {
    let mut files = Vec::new();
    for entry in WalkDir::new(source).sort_by_file_name() {
        let entry = entry?;
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}
