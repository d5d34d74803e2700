//! `cargo lab hint`: gives one hint after another. After the task has passed, it shows how the solution differs.

use std::fs;
use std::process::ExitCode;

use anyhow::Result;
use console::style;
use judge::Task;
use judge::programs::workspace;
use similar::{ChangeTag, TextDiff};

use crate::progress::{Progress, files};
use crate::task_number;

/// The number of lines that are shown before and after a difference.
const CONTEXT: usize = 2;

/// Prints the next hint for the task of this number.
pub fn hint(number: u32) -> Result<ExitCode> {
    let task = task_number::task(number)?;
    let mut progress = Progress::load();
    if progress.has_passed(task) {
        show_solution(task)?;
        return Ok(ExitCode::SUCCESS);
    }
    let hints: Vec<&str> = task.hints.trim().split("\n\n").collect();
    let shown = progress.hints.entry(number).or_default();
    if *shown < hints.len() {
        *shown += 1;
        print_hint(*shown, &hints);
        progress.save()?;
    } else {
        for number in 1..=hints.len() {
            print_hint(number, &hints);
        }
        println!(
            "\nThese are all hints for task {number}. `cargo lab check {number}` shows what your program does, and what is expected \
             of it."
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn print_hint(number: usize, hints: &[&str]) {
    let heading = format!("Hint {number} of {}.", hints.len());
    println!("{} {}", style(heading).bold(), hints[number - 1]);
}

fn show_solution(task: &Task) -> Result<()> {
    if !workspace().join("solutions").exists() {
        println!(
            "Task {} has passed. Your instructor has the solution.",
            task.number
        );
        return Ok(());
    }
    println!("Task {} has passed.", task.number);
    let mut differs = false;
    for file in files(task) {
        let path = file.strip_prefix(workspace())?;
        let solution = workspace().join("solutions").join(path);
        if !solution.exists() {
            continue;
        }
        let (yours, ours) = (fs::read_to_string(&file)?, fs::read_to_string(&solution)?);
        differs |= show_differences(&path.display().to_string(), &yours, &ours);
    }
    if !differs {
        println!("Your program is the same as the solution.");
    }
    Ok(())
}

/// Prints the differences in a file. Returns whether there are any.
fn show_differences(name: &str, yours: &str, ours: &str) -> bool {
    let diff = TextDiff::from_lines(yours, ours);
    let groups = diff.grouped_ops(CONTEXT);
    if !groups.is_empty() {
        println!(
            "\n{}",
            style(format!("{name}  (- your program, + the solution)")).bold()
        );
    }
    for (number, group) in groups.iter().enumerate() {
        if number > 0 {
            println!("{}", style("  …").dim());
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let line = change.value().trim_end_matches('\n');
            match change.tag() {
                ChangeTag::Delete => println!("{}", style(format!("- {line}")).red()),
                ChangeTag::Insert => println!("{}", style(format!("+ {line}")).green()),
                ChangeTag::Equal => println!("  {line}"),
            }
        }
    }
    !groups.is_empty()
}
