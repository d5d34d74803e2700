//! Writing a page to where the user wants it.

use std::path::Path;

use anyhow::{Context, Result};
use grading::{could_be_written, write_whole};

/// Whether the page can be written, if one is wanted: to be asked before the work that it tells of.
///
/// # Errors
/// When it cannot.
pub fn ready(file: Option<&Path>) -> Result<()> {
    file.map_or(Ok(()), |file| {
        could_be_written(file).with_context(|| cannot(file))
    })
}

/// Writes a page, and says where it is.
///
/// # Errors
/// When it cannot be written; then the file is as it was.
pub fn page(file: &Path, html: &str) -> Result<()> {
    write_whole(file, html.as_bytes()).with_context(|| cannot(file))?;
    eprintln!("\nThe page is in {}.", file.display());
    Ok(())
}

fn cannot(file: &Path) -> String {
    format!(
        "{} cannot be written. Is its folder there, and room on the disk?",
        file.display()
    )
}
