//! The packages that a student builds stay small and readable.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Result, ensure};
use judge::programs::{PROGRAMS, cargo, workspace};
use libtest_mimic::Trial;

use crate::trial;

/// The crates that a lab program may depend on. Only the packages in [`WITH_A_DATABASE`] may also depend on rusqlite.
const ALLOWED: &[&str] = &["common", "ctrlc", "rand", "rdkafka", "serde", "serde_json"];
const WITH_A_DATABASE: &[&str] = &["billing", "solutions"];

pub fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = [PROGRAMS, &["common", "solutions"]]
        .concat()
        .into_iter()
        .map(|package| {
            trial(
                &format!("packages::depends_only_on_the_cards_crates::{package}"),
                move || {
                    for dependency in tree(package, "1")?.lines().skip(1) {
                        let database =
                            dependency == "rusqlite" && WITH_A_DATABASE.contains(&package);
                        ensure!(
                            database || ALLOWED.contains(&dependency),
                            "{package} depends on {dependency}, but may depend only on {ALLOWED:?}"
                        );
                    }
                    Ok(())
                },
            )
        })
        .collect();
    trials.push(trial(
        "packages::a_student_builds_no_grading_no_testcontainers_no_cmake",
        || {
            for package in [PROGRAMS, &["cli"]].concat() {
                for heavy in [
                    "testcontainers",
                    "tokio",
                    "cmake",
                    "grading",
                    "syntect",
                    "ratatui",
                ] {
                    let found = tree(package, "99")?.lines().any(|line| line == heavy);
                    ensure!(
                        !found,
                        "{package} depends on {heavy}, which takes too long to build"
                    );
                }
            }
            Ok(())
        },
    ));
    trials.push(trial(
        "packages::no_executable_builds_other_peoples_crates_again",
        no_crate_is_built_again,
    ));
    trials.push(trial("packages::lab_programs_are_short", || {
        for file in [judge::holes::FILES, &["consumer_crash/src/main.rs"]].concat() {
            for path in [
                workspace().join(file),
                workspace().join("solutions").join(file),
            ] {
                let lines = fs::read_to_string(&path)
                    .unwrap_or_default()
                    .lines()
                    .count();
                ensure!(
                    lines <= 120,
                    "{} has {lines} lines, but may have at most 120",
                    path.display()
                );
            }
        }
        Ok(())
    }));
    trials
}

/// Cargo builds a crate once for each set of features. `cargo lab` is built first, so whatever is built later must need the same
/// features of the crates that both need.
fn no_crate_is_built_again() -> Result<()> {
    let first = features(&["--package", "cli", "--edges", "normal,build"])?;
    for (what, arguments) in LATER {
        for (name, sets) in features(arguments)? {
            let Some(built) = first.get(&name) else {
                continue;
            };
            ensure!(
                built.is_subset(&sets) || sets.is_subset(built),
                "{what} builds {name} again: with the features {sets:?}, and not {built:?}. Add what is missing to \
                 lab/features/Cargo.toml"
            );
        }
    }
    Ok(())
}

/// What is built later, and how Cargo selects it.
const LATER: [(&str, &[&str]); 5] = [
    (
        "`cargo lab watch`",
        &["--package", "watch", "--edges", "normal,build"],
    ),
    (
        "`cargo lab bench`",
        &["--package", "bench", "--edges", "normal,build"],
    ),
    (
        "`cargo lab grade`",
        &["--package", "grading", "--edges", "normal,build"],
    ),
    (
        "`cargo lab run`",
        &[
            "--package",
            "cli",
            "--package",
            "billing",
            "--edges",
            "normal,build",
        ],
    ),
    (
        "`cargo test`",
        &["--workspace", "--edges", "normal,build,dev"],
    ),
];

/// The sets of features with which other people's crates are built, by name and version.
fn features(arguments: &[&str]) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let format = ["--prefix", "none", "--no-dedupe", "--format", "{p}\t{f}"];
    for line in cargo_tree(&[arguments, &format].concat())?.lines() {
        let (name, features) = line.split_once('\t').unwrap_or((line, ""));
        // The lab's own crates have their path here.
        if !name.contains(" (/") {
            let sets = all.entry(name.to_string()).or_default();
            sets.insert(features.to_string());
        }
    }
    Ok(all)
}

/// The names of the crates that a package builds, down to this depth of its dependency tree.
fn tree(package: &str, depth: &str) -> Result<String> {
    cargo_tree(&[
        "--package",
        package,
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{lib}",
        "--depth",
        depth,
    ])
}

fn cargo_tree(arguments: &[&str]) -> Result<String> {
    let output = cargo("tree").args(arguments).output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
