//! The code keeps to the picture in ARCHITECTURE.md: imports go only one way, between crates and between files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use judge::programs::workspace;
use libtest_mimic::Trial;

use crate::trial;

/// The crates in `lab/`, and `common`, in the order of the picture in ARCHITECTURE.md. A crate may use only crates that
/// come after it in this list.
const CRATES: &[&str] = &[
    "cli", "grading", "watch", "bench", "terminal", "pages", "judge", "cluster", "broker",
    "confine", "features", "common",
];

pub fn trials() -> Vec<Trial> {
    vec![
        trial(
            "architecture::crates_use_only_what_is_below",
            crates_go_one_way,
        ),
        trial(
            "architecture::no_two_files_import_each_other",
            files_go_one_way,
        ),
        trial("architecture::every_crate_is_drawn", every_crate_is_drawn),
    ]
}

fn crates_go_one_way() -> Result<()> {
    for (at, name) in CRATES.iter().enumerate() {
        for used in dependencies(name)? {
            let below = CRATES[at + 1..].contains(&used.as_str());
            ensure!(
                below || !CRATES.contains(&used.as_str()),
                "{name} depends on {used}, which comes before it in CRATES. A crate may use only crates that come \
                 after it"
            );
            ensure!(
                used != "tests" && used != "bank",
                "{name} depends on {used}. Only tests may depend on {used}"
            );
        }
    }
    Ok(())
}

fn folder(name: &str) -> PathBuf {
    match name {
        "common" => workspace().join(name),
        _ => workspace().join("lab").join(name),
    }
}

/// The first word of every line in a crate's manifest. The names of all its dependencies are among them.
fn dependencies(name: &str) -> Result<Vec<String>> {
    let manifest = fs::read_to_string(folder(name).join("Cargo.toml"))?;
    let lines = manifest.lines();
    let named = lines.filter_map(|line| line.split([' ', '.', '=']).next());
    Ok(named.map(ToString::to_string).collect())
}

fn every_crate_is_drawn() -> Result<()> {
    let page = fs::read_to_string(workspace().join("ARCHITECTURE.md"))?;
    for entry in fs::read_dir(workspace().join("lab"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        ensure!(
            CRATES.contains(&name.as_str()),
            "lab/{name} is not in CRATES. Add it there, at its place in the picture"
        );
        ensure!(
            page.contains(&format!("`lab/{name}`")),
            "ARCHITECTURE.md does not mention `lab/{name}`. Say there what this crate does"
        );
    }
    Ok(())
}

fn files_go_one_way() -> Result<()> {
    for name in CRATES {
        let imports = imports(&folder(name).join("src"))?;
        for file in imports.keys() {
            let circle = path_back(&imports, file);
            ensure!(
                circle.is_none(),
                "these files of {name} import each other in a circle: {}",
                circle.unwrap_or_default().join(" → ")
            );
        }
    }
    Ok(())
}

/// The shortest chain of imports that leads from a file back to itself; `None` if there is no such chain.
fn path_back(imports: &BTreeMap<String, BTreeSet<String>>, file: &str) -> Option<Vec<String>> {
    let mut chains = vec![vec![file.to_string()]];
    let mut seen = BTreeSet::new();
    while !chains.is_empty() {
        let mut longer = Vec::new();
        for chain in chains {
            let last = chain.last()?;
            for next in imports.get(last).into_iter().flatten() {
                let mut chain = chain.clone();
                chain.push(next.clone());
                if next == file {
                    return Some(chain);
                }
                if seen.insert(next.clone()) {
                    longer.push(chain);
                }
            }
        }
        chains = longer;
    }
    None
}

/// The modules that each module of a crate imports from, by their paths, such as `task2_consumer::runs`. An import of a
/// re-exported item counts as an import from the module that defines it.
fn imports(source: &Path) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut texts = BTreeMap::new();
    read(source, "", &mut texts)?;
    let mut origins = BTreeMap::new();
    for (module, text) in &texts {
        for used in uses(text, "pub use ") {
            let name = used.rsplit("::").next().unwrap_or_default().to_string();
            origins.insert(join(module, &name), absolute(module, &used));
        }
    }
    let mut imports = BTreeMap::new();
    for (module, text) in &texts {
        let mut used = BTreeSet::new();
        for path in uses(text, "use ") {
            let Some(path) = path.strip_prefix("crate::") else {
                continue;
            };
            let path = origins.get(path).map_or(path, String::as_str);
            let prefixes = path.match_indices("::").map(|(at, _)| &path[..at]);
            if let Some(origin) = prefixes.filter(|prefix| texts.contains_key(*prefix)).last() {
                used.insert(origin.to_string());
            }
        }
        used.remove(module);
        imports.insert(module.clone(), used);
    }
    Ok(imports)
}

/// Adds the source code of all files below a folder to `texts`, by module path and without unit tests. The path of the
/// crate's root is empty.
fn read(folder: &Path, module: &str, texts: &mut BTreeMap<String, String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path
            .file_stem()
            .context("the path ends without a name")?
            .to_string_lossy();
        if path.is_dir() {
            read(&path, &join(module, &stem), texts)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)?;
            let text = text
                .split("#[cfg(test)]\nmod tests")
                .next()
                .unwrap_or_default();
            let module = match &*stem {
                "lib" | "main" => String::new(),
                stem => join(module, stem),
            };
            texts.insert(module, text.to_string());
        }
    }
    Ok(())
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() {
        name.to_string()
    } else {
        format!("{module}::{name}")
    }
}

/// The path of a re-exported item, from the crate's root.
fn absolute(module: &str, used: &str) -> String {
    used.strip_prefix("crate::")
        .map_or_else(|| join(module, used), ToString::to_string)
}

/// All paths in the `use` declarations that begin with `begin`. Each item in braces gets a path of its own.
fn uses(text: &str, begin: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, _) in text.match_indices(begin) {
        let starts_line = text[..at].ends_with('\n') || at == 0;
        if let (true, Some((used, _))) = (starts_line, text[at + begin.len()..].split_once(';')) {
            let used: String = used.split_whitespace().collect();
            expand("", &used, &mut paths);
        }
    }
    paths
}

/// Adds the paths of one `use` declaration, or of a part of one, to `paths`. `before` is the path in front of the part.
fn expand(before: &str, used: &str, paths: &mut Vec<String>) {
    let Some((head, list)) = used.split_once('{') else {
        paths.push(format!("{before}{used}"));
        return;
    };
    let list = list.strip_suffix('}').unwrap_or(list);
    let mut depth = 0;
    let separate = |c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    };
    for part in list.split(separate).filter(|part| !part.is_empty()) {
        expand(&format!("{before}{head}"), part, paths);
    }
}
