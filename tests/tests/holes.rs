//! A starter and its solution differ only in their holes.

use anyhow::{Result, ensure};
use judge::holes::{FILES, Part, pair};
use libtest_mimic::Trial;

use crate::trial;

pub fn trials() -> Vec<Trial> {
    FILES
        .iter()
        .map(|file| {
            trial(
                &format!("holes::starter_and_solution_differ_only_in_holes::{file}"),
                || equal(file),
            )
        })
        .collect()
}

fn equal(file: &str) -> Result<()> {
    let (starter, solution) = pair(file)?;
    ensure!(
        starter.len() == solution.len(),
        "{file}: {} parts in the starter, {} in the solution",
        starter.len(),
        solution.len()
    );
    for (from_starter, from_solution) in starter.iter().zip(&solution) {
        match (from_starter, from_solution) {
            (Part::Common(ours), Part::Common(theirs)) => {
                ensure!(
                    ours == theirs,
                    "{file} differs outside of holes:\n{ours:#?}\n{theirs:#?}"
                );
            }
            (Part::Hole(ours, empty), Part::Hole(theirs, filled)) => {
                ensure!(
                    ours == theirs,
                    "{file}: where the starter has hole {ours}, the solution has hole {theirs}"
                );
                ensure!(
                    empty != filled,
                    "{file}: hole {ours} is the same in the starter and in the solution"
                );
            }
            _ => anyhow::bail!(
                "{file}: starter and solution do not have their holes at the same places"
            ),
        }
    }
    Ok(())
}
