//! The file that the user wants a page in.

use std::path::Path;

use anyhow::{Context, Result};

use crate::atomic_write::{could_be_written, write_whole};

/// Checks that a page can be written, if the user wants one. To be called before the work that the page reports.
///
/// # Errors
/// When the file cannot be written.
pub fn ensure_writable(file: Option<&Path>) -> Result<()> {
    file.map_or(Ok(()), |file| {
        could_be_written(file).with_context(|| cannot(file))
    })
}

/// Writes a page, and says where it is.
///
/// # Errors
/// When it cannot be written; then the file is unchanged.
pub fn write_page(file: &Path, html: &str) -> Result<()> {
    write_whole(file, html.as_bytes()).with_context(|| cannot(file))?;
    eprintln!("\nThe page is in {}.", file.display());
    Ok(())
}

fn cannot(file: &Path) -> String {
    format!(
        "{} cannot be written. Does its folder exist, and is there room on the disk?",
        file.display()
    )
}
