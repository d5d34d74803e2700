//! Writes a page, a history or something else to the file that the user named.

use std::path::Path;

use anyhow::{Context, Result};

use crate::atomic_write::{check_writable, write_atomically};

/// Checks that the file can be written, if the user wants one. To be called before the work that the file is about.
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
    write_file(file, "page", html)
}

/// Writes the history, and says on standard error where it is.
///
/// # Errors
/// When the file cannot be written. Then it is unchanged.
pub fn write_history(file: &Path, lines: &str) -> Result<()> {
    write_file(file, "history", lines)
}

/// Writes this text, and says on standard error where it is. `what` is a noun in the singular, such as "picture".
///
/// # Errors
/// When the file cannot be written. Then it is unchanged.
pub fn write_file(file: &Path, what: &str, text: &str) -> Result<()> {
    write_atomically(file, text.as_bytes()).with_context(|| cannot_write(file))?;
    eprintln!("\nThe {what} is in {}.", file.display());
    Ok(())
}

fn cannot_write(file: &Path) -> String {
    format!(
        "{} cannot be written. Does its folder exist, and is there room on the disk?",
        file.display()
    )
}
