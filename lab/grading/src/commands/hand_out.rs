//! `cargo lab export` and `cargo lab package`: what leaves the house.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use grading::Recipient;

/// Where the archive for Gradescope is written by default.
const GRADESCOPE: &str = "kafka-lab-gradescope.zip";

pub fn export(folder: &Path) -> Result<ExitCode> {
    grading::export(folder, Recipient::Students)?;
    println!(
        "The repository to hand out is in {}. `git init` there makes it one; `cargo test` judges what is filled in.",
        folder.display()
    );
    Ok(ExitCode::SUCCESS)
}

pub fn gradescope(file: Option<PathBuf>) -> Result<ExitCode> {
    let file = file.unwrap_or_else(|| GRADESCOPE.into());
    grading::gradescope_package(&file)?;
    println!(
        "The autograder is in {}. On Gradescope: Configure Autograder, Zip file upload.",
        file.display()
    );
    Ok(ExitCode::SUCCESS)
}
