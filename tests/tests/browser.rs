//! Pages in a real browser. Playwright drives Chromium, and axe-core checks what people with a keyboard or a screen
//! reader need.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use broker::{Cache, find_on_path, last_lines, run};
use judge::programs::workspace;

const INSTALL_LIMIT: Duration = Duration::from_secs(300);
const LIMIT: Duration = Duration::from_secs(600);

/// The names of Chromium's executable. Without its windows, it takes half the processor time.
const NAMES: &[&str] = &[
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
];

/// What the tests of pages need and this machine lacks; `None` if nothing is missing.
pub fn missing() -> Option<&'static str> {
    if chromium().is_none() {
        Some("needs Chromium (Debian: `apt-get install chromium-headless-shell`)")
    } else if find_on_path("npm").is_none() {
        Some("needs Node and npm (Debian: `apt-get install npm`)")
    } else {
        None
    }
}

/// Opens pages in Chromium: wide and narrow, light and dark, with the keyboard, without scripts, on paper.
///
/// # Errors
/// If a page fails in any of these ways; the error lists all failures.
pub fn look(pages: &[PathBuf]) -> Result<()> {
    let chromium = chromium().context("Chromium is not installed")?;
    let folder = tools()?;
    let mut node = Command::new("node");
    node.current_dir(&folder)
        .arg("pages.js")
        .arg(chromium)
        .args(pages);
    let output = run(&mut node, LIMIT)?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "{said}{}",
        last_lines(&output.stderr, 10)
    );
    Ok(())
}

/// A folder with the script and the packages it needs. It is made once.
fn tools() -> Result<PathBuf> {
    let source = workspace().join("tests/browser");
    let wanted = std::fs::read_to_string(source.join("package.json"))?;
    let is_whole = |folder: &Path| {
        let there = std::fs::read_to_string(folder.join("package.json"));
        folder.join("complete").exists() && there.is_ok_and(|there| there == wanted)
    };
    let folder = Cache::open()?.complete("browser", is_whole, |folder| {
        eprintln!("Installing Playwright and axe-core (once) …");
        std::fs::copy(source.join("package.json"), folder.join("package.json"))?;
        let mut npm = Command::new("npm");
        npm.current_dir(folder)
            .args(["install", "--no-package-lock", "--no-audit", "--no-fund"]);
        let output = run(&mut npm, INSTALL_LIMIT)?;
        if !output.status.success() {
            bail!("{npm:?}: {}", last_lines(&output.stderr, 5));
        }
        Ok(std::fs::write(folder.join("complete"), "")?)
    })?;
    std::fs::copy(source.join("pages.js"), folder.join("pages.js"))?;
    Ok(folder)
}

fn chromium() -> Option<PathBuf> {
    NAMES.iter().find_map(|name| find_on_path(name))
}
