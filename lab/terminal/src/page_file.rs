//! Writes a page to the file that the user named.

use std::path::Path;

use anyhow::{Context, Result};

use crate::atomic_write::{check_writable, write_atomically};

/// Checks that the page can be written, if the user wants one. To be called before the work that the page is about.
///
/// # Errors
/// When the file cannot be written.
pub fn ensure_writable(file: Option<&Path>) -> Result<()> {
    file.map_or(Ok(()), |file| {
        check_writable(file).with_context(|| cannot_write(file))
    })
}

/// Writes the page, and says on standard error where it is.
///
/// # Errors
/// When the file cannot be written. Then it is unchanged.
pub fn write_page(file: &Path, html: &str) -> Result<()> {
    write_atomically(file, html.as_bytes()).with_context(|| cannot_write(file))?;
    eprintln!("\nThe page is in {}.", file.display());
    Ok(())
}

fn cannot_write(file: &Path) -> String {
    format!(
        "{} cannot be written. Does its folder exist, and is there room on the disk?",
        file.display()
    )
}
