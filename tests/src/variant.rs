//! Programs that differ a little from a starter or a solution, built beside the workspace.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use toml::Table;

use crate::programs::{build_in, workspace};

/// What a lab program may depend on, without `common`.
const DEPENDENCIES: &[&str] = &["ctrlc", "rand", "rdkafka", "serde", "serde_json"];

/// Builds the source text of a program under a name of its own; returns the executable's path.
///
/// # Errors
/// When it does not compile.
pub fn build(name: &str, source: &str) -> Result<PathBuf> {
    let folder = workspace().join("target/variants").join(name);
    let src = folder.join("src");
    fs::create_dir_all(&src).with_context(|| src.display().to_string())?;
    fs::write(src.join("main.rs"), source)?;
    fs::write(folder.join("Cargo.toml"), manifest(name)?.to_string())?;
    fs::write(folder.join(".gitignore"), "*")?;
    fs::copy(workspace().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let built = build_in(&folder, &[(name.to_string(), name.to_string())])?;
    built.into_iter().next().context("nothing was built")
}

/// A workspace of its own with the versions, the features and the profile of the lab's, so that what those have built is
/// used again.
fn manifest(name: &str) -> Result<Table> {
    let root = workspace();
    let lab: Table = fs::read_to_string(root.join("Cargo.toml"))?.parse()?;
    let known = lab["workspace"]["dependencies"].as_table();
    let known = known.context("no [workspace.dependencies]")?;
    let mut dependencies = Table::new();
    for dependency in DEPENDENCIES {
        dependencies.insert((*dependency).to_string(), known[*dependency].clone());
    }
    let common = Table::from_iter([(
        "path".to_string(),
        root.join("common").display().to_string().into(),
    )]);
    dependencies.insert("common".to_string(), common.into());
    let package = Table::from_iter([
        ("name".to_string(), name.into()),
        (
            "edition".to_string(),
            lab["workspace"]["package"]["edition"].clone(),
        ),
    ]);
    Ok(Table::from_iter([
        ("package".to_string(), package.into()),
        ("workspace".to_string(), Table::new().into()),
        ("dependencies".to_string(), dependencies.into()),
        ("profile".to_string(), lab["profile"].clone()),
    ]))
}
