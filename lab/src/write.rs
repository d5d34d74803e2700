//! Writing a page to where the user wants it.

use std::path::Path;

use anyhow::{Context, Result};
use grading::write_whole;

/// Writes a page, and says where it is.
///
/// # Errors
/// When it cannot be written; then the file is as it was.
pub fn page(file: &Path, html: &str) -> Result<()> {
    write_whole(file, html.as_bytes()).with_context(|| {
        format!(
            "{} could not be written. Is its folder there, and room on the disk?",
            file.display()
        )
    })?;
    eprintln!("\nThe page is in {}.", file.display());
    Ok(())
}
