//! `cargo lab export` and `cargo lab package`: make what students and platforms get.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use grading::Recipient;

/// The file that the archive for Gradescope is written to by default.
const GRADESCOPE: &str = "kafka-lab-gradescope.zip";

/// The folder for Classroom 50 by default.
const CLASSROOM50: &str = "kafka-lab-classroom50";

/// Makes the repository to hand out, in a new folder.
pub fn export(folder: &Path) -> Result<ExitCode> {
    grading::export(folder, Recipient::Students)?;
    println!(
        "The files to hand out are in {}. Run `git init` there to make it a repository. `cargo test` there judges what a student \
         has filled in.",
        folder.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// Makes the archive for Gradescope.
pub fn gradescope(file: Option<PathBuf>) -> Result<ExitCode> {
    let file = file.unwrap_or_else(|| GRADESCOPE.into());
    grading::gradescope_package(&file)?;
    println!(
        "The autograder is in {}. Upload it to Gradescope: Configure Autograder, Zip file upload.",
        file.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// Makes the folder for Classroom 50.
pub fn classroom50(folder: Option<PathBuf>) -> Result<ExitCode> {
    let folder = folder.unwrap_or_else(|| CLASSROOM50.into());
    grading::classroom50_package(&folder)?;
    let shown = folder.display();
    println!(
        "The autograder is in {shown}. Copy what is in it to CLASSROOM/autograders/ASSIGNMENT in your classroom50 repository, and \
         add the assignment with --runtime {shown}/runtime.json."
    );
    Ok(ExitCode::SUCCESS)
}
