//! Builds programs that differ a little from a starter or a solution, each in a Cargo workspace of its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use judge::programs::{build_in, workspace};
use parking_lot::Mutex;
use toml::{Table, Value};

/// The crates that a lab program may depend on, besides `common`.
const DEPENDENCIES: &[&str] = &[
    "ctrlc",
    "rand",
    "rdkafka",
    "rusqlite",
    "serde",
    "serde_json",
];

/// Builds a program from source text, under the given name. Returns the path of the executable.
///
/// # Errors
/// When it does not compile.
pub fn build(name: &str, source: &str) -> Result<PathBuf> {
    build_with(name, source, manifest(name)?)
}

/// Does the same as [`build`] for a program with futures: the program may also use tokio, and rdkafka's support for it.
///
/// # Errors
/// When it does not compile.
pub fn build_asynchronous(name: &str, source: &str) -> Result<PathBuf> {
    let mut manifest = manifest(name)?;
    let dependencies = manifest
        .get_mut("dependencies")
        .and_then(Value::as_table_mut);
    let dependencies = dependencies.context("the manifest has no [dependencies] table")?;
    let tokio = "version = \"1\"\nfeatures = [\"rt-multi-thread\", \"time\"]".parse::<Table>()?;
    dependencies.insert("tokio".to_string(), tokio.into());
    let features = dependencies["rdkafka"]
        .get_mut("features")
        .and_then(Value::as_array_mut);
    features
        .context("rdkafka has no list of features in Cargo.toml")?
        .push("tokio".into());
    build_with(name, source, manifest)
}

/// Writes the text of a script to a file. Returns the path.
///
/// # Errors
/// When the file cannot be written.
pub fn script(name: &str, source: &str) -> Result<PathBuf> {
    let path = folder(name)?.join(format!("{name}.py"));
    fs::write(&path, source)?;
    Ok(path)
}

fn folder(name: &str) -> Result<PathBuf> {
    let folder = workspace().join("target/variants").join(name);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    fs::write(folder.join(".gitignore"), "*")?;
    Ok(folder)
}

fn build_with(name: &str, source: &str, manifest: Table) -> Result<PathBuf> {
    // Two tests may want the same program at the same time. Cargo would build one at a time anyway.
    static BUILDING: Mutex<()> = Mutex::new(());
    let _turn = BUILDING.lock();
    let folder = folder(name)?;
    fs::create_dir_all(folder.join("src"))?;
    write_if_other(&folder.join("src/main.rs"), source)?;
    write_if_other(&folder.join("Cargo.toml"), &manifest.to_string())?;
    // Cargo may add packages to Cargo.lock, so lab.lock keeps the lab's own text for comparison.
    if write_if_other(
        &folder.join("lab.lock"),
        &fs::read_to_string(workspace().join("Cargo.lock"))?,
    )? {
        fs::copy(folder.join("lab.lock"), folder.join("Cargo.lock"))?;
    }
    let built = build_in(&folder, &[(name.to_string(), name.to_string())])?;
    built
        .into_iter()
        .next()
        .context("cargo built no executable")
}

/// Writes a file only if its text has changed, because Cargo rebuilds a program after its files were written. Returns
/// whether it wrote the file.
fn write_if_other(file: &Path, text: &str) -> Result<bool> {
    if fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(false);
    }
    fs::write(file, text).with_context(|| file.display().to_string())?;
    Ok(true)
}

/// The manifest of a separate workspace. It has the lab's versions, features and profile, so that Cargo reuses what it
/// has built for the lab.
fn manifest(name: &str) -> Result<Table> {
    let root = workspace();
    let lab: Table = fs::read_to_string(root.join("Cargo.toml"))?.parse()?;
    let known = lab["workspace"]["dependencies"].as_table();
    let known = known.context("Cargo.toml has no [workspace.dependencies] table")?;
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
    let mut profile = lab["profile"].clone();
    let packages = profile["dev"].get_mut("package");
    if let Some(packages) = packages.and_then(Value::as_table_mut) {
        // The other entries are for packages that lab programs do not use.
        packages.retain(|name, _| name == "*");
        // A program takes 6 MB instead of 20 MB, and there are almost two hundred.
        let without_symbols = Table::from_iter([("strip".to_string(), "symbols".into())]);
        packages.insert(name.to_string(), without_symbols.into());
    }
    Ok(Table::from_iter([
        ("package".to_string(), package.into()),
        ("workspace".to_string(), Table::new().into()),
        ("dependencies".to_string(), dependencies.into()),
        ("profile".to_string(), profile),
    ]))
}
