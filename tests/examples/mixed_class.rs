//! Makes a class of 60 submissions, to measure how long grading takes: solutions, starters, misconceptions, the slides'
//! programs in Python, and attacks.
//!
//!     cargo run --package tests --example mixed_class -- FOLDER [RIGHT WRONG]
//!     cargo run --package tests --example mixed_class -- FOLDER handed_in COUNT
//!
//! With two numbers, the class has so many solutions and so many misconceptions, and nothing else. With `handed_in`, most
//! submissions have the programs of one task only. Some of them hang or do not compile. Each is named after its kind, and has a
//! number of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use bank::{Entry, bank};
use judge::programs::{PROGRAMS, workspace};

const ALL: usize = 60;
const SOLUTIONS: usize = 14;
const STARTERS: usize = 8;
const IN_PYTHON: usize = 4;

/// How many different misconceptions a class hands in.
const KINDS: usize = 30;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = "usage: mixed_class FOLDER [RIGHT WRONG | handed_in COUNT]";
    let folder = PathBuf::from(arguments.first().context(usage)?);
    fs::create_dir(&folder).with_context(|| {
        format!(
            "cannot create {}; FOLDER must not exist yet",
            folder.display()
        )
    })?;
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    match words.as_slice() {
        [] => of_all_kinds(&folder)?,
        ["handed_in", count] => handed_in(&folder, count.parse()?)?,
        [right, wrong] => {
            solutions(&folder, right.parse()?)?;
            misconceptions(&folder, wrong.parse()?)?;
        }
        _ => bail!(usage),
    }
    println!(
        "{} submissions in {}",
        fs::read_dir(&folder)?.count(),
        folder.display()
    );
    Ok(())
}

fn of_all_kinds(folder: &Path) -> Result<()> {
    solutions(folder, SOLUTIONS)?;
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
    misconceptions(folder, ALL - fs::read_dir(folder)?.count())
}

/// Of ten submissions, two are right in all tasks, one is in Python, one hangs, one does not compile, and five have a
/// misconception.
fn handed_in(folder: &Path, count: usize) -> Result<()> {
    let wrong = misconceived()?;
    for number in 0..count {
        let named = |kind: &str| folder.join(format!("{kind}-{number:03}"));
        match number % 10 {
            0 | 1 => solution(&named("right"))?,
            2 => python(&named("python"))?,
            3 => {
                let own = named("hangs");
                fs::create_dir(&own)?;
                fs::write(own.join("consumer"), "#!/bin/sh\nsleep 1000\n")?;
                fs::set_permissions(own.join("consumer"), PermissionsExt::from_mode(0o755))?;
            }
            4 => {
                let own = named("does_not_compile");
                solution(&own)?;
                fs::write(own.join("producer/src/main.rs"), "fn main() { todo }\n")?;
            }
            place => {
                let entry = &wrong[(number / 10 + place * 7) % KINDS * wrong.len() / KINDS];
                let own = named(&format!("wrong_{}_{}", entry.of, entry.name));
                solution(&own)?;
                let (path, text) = entry.file()?;
                fs::write(own.join(path), text)?;
                let of_task = entry.task().programs;
                let others = PROGRAMS.iter().filter(|program| !of_task.contains(program));
                for other in others {
                    fs::remove_dir_all(own.join(other))?;
                }
            }
        }
    }
    Ok(())
}

fn misconceived() -> Result<Vec<Entry>> {
    let all = bank()?.into_iter();
    Ok(all.filter(Entry::is_misconception).collect())
}

fn solutions(folder: &Path, count: usize) -> Result<()> {
    (1..=count).try_for_each(|number| solution(&folder.join(format!("solution{number:02}"))))
}

/// So many misconceptions, from all over the bank.
fn misconceptions(folder: &Path, count: usize) -> Result<()> {
    let wrong = misconceived()?;
    for place in 0..count {
        // Entries from all parts of the bank, at equal distances.
        let entry = &wrong[place * wrong.len() / count];
        let own = folder.join(format!("wrong_{}_{}", entry.of, entry.name));
        solution(&own)?;
        let (path, text) = entry.file()?;
        fs::write(own.join(path), text)?;
    }
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
