//! The packages that a student builds stay small and readable.

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

/// The names of the crates that a package builds, down to this depth of its dependency tree.
fn tree(package: &str, depth: &str) -> Result<String> {
    let arguments = [
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{lib}",
        "--depth",
        depth,
    ];
    let output = cargo("tree")
        .args(["--package", package])
        .args(arguments)
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
