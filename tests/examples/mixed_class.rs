//! Makes a class of 60 submissions, to measure how long grading takes: solutions, starters, misconceptions, the slides'
//! programs in Python, and attacks.
//!
//!     cargo run --package tests --example mixed_class -- FOLDER

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use bank::bank;
use judge::programs::{PROGRAMS, workspace};

const ALL: usize = 60;
const SOLUTIONS: usize = 14;
const STARTERS: usize = 8;
const IN_PYTHON: usize = 4;

fn main() -> Result<()> {
    let folder = std::env::args_os()
        .nth(1)
        .context("usage: mixed_class FOLDER")?;
    let folder = PathBuf::from(folder);
    fs::create_dir(&folder).with_context(|| {
        format!(
            "cannot create {}; FOLDER must not exist yet",
            folder.display()
        )
    })?;
    for number in 1..=SOLUTIONS {
        solution(&folder.join(format!("solution{number:02}")))?;
    }
    for number in 1..=STARTERS {
        starter(&folder.join(format!("starter{number:02}")))?;
    }
    for number in 1..=IN_PYTHON {
        python(&folder.join(format!("python{number:02}")))?;
    }
    let attacks: Vec<PathBuf> = fs::read_dir(workspace().join("tests/attacks"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    for attack in &attacks {
        let name = attack.file_name().unwrap_or_default().to_string_lossy();
        let own = folder.join(format!("attack_{name}"));
        copy(attack, &own)?;
        match &*name {
            "connects_elsewhere" => fs::write(own.join("port"), "9")?,
            "reads_what_is_not_its_own" => fs::write(own.join("paths"), "/root\n")?,
            _ => {}
        }
    }
    let wrong: Vec<_> = bank()?
        .into_iter()
        .filter(|entry| entry.is_misconception())
        .collect();
    let places = ALL - SOLUTIONS - STARTERS - IN_PYTHON - attacks.len();
    for place in 0..places {
        // Take entries from all parts of the bank, at equal distances.
        let entry = &wrong[place * wrong.len() / places];
        let own = folder.join(format!("wrong_{}_{}", entry.of, entry.name));
        solution(&own)?;
        let (path, text) = entry.file()?;
        fs::write(own.join(path), text)?;
    }
    println!(
        "{} submissions in {}",
        fs::read_dir(&folder)?.count(),
        folder.display()
    );
    Ok(())
}

fn starter(own: &Path) -> Result<()> {
    fs::create_dir(own)?;
    for program in PROGRAMS {
        copy(&workspace().join(program), &own.join(program))?;
    }
    Ok(())
}

fn solution(own: &Path) -> Result<()> {
    starter(own)?;
    for program in PROGRAMS {
        let solved = workspace().join("solutions").join(program);
        if solved.exists() {
            fs::remove_dir_all(own.join(program))?;
            copy(&solved, &own.join(program))?;
        }
    }
    Ok(())
}

fn python(own: &Path) -> Result<()> {
    let from = workspace().join("tests/misconceptions/python");
    fs::create_dir(own)?;
    for program in [
        "producer",
        "consumer",
        "consumer_crash",
        "billing",
        "exactly_once",
    ] {
        let script = format!("{program}.py");
        fs::copy(from.join(&script), own.join(script))?;
    }
    let member = fs::read_to_string(from.join("member.py"))?;
    fs::write(own.join("consumer_group_a.py"), &member)?;
    let member = member.replace("NAME = 'A'", "NAME = 'B'");
    fs::write(own.join("consumer_group_b.py"), member)?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-r").args([from, to]).status()?;
    ensure!(status.success(), "cp: {status}");
    Ok(())
}
