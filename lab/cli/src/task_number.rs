//! Tasks by their numbers on the command line.

use judge::{TASKS, Task};
use terminal::Usage;

/// The task of this number.
///
/// # Errors
/// [`Usage`], if there is no such task.
pub fn task(number: u32) -> Result<&'static Task, Usage> {
    let task = TASKS.iter().find(|task| task.number == number);
    task.ok_or_else(|| {
        let last = TASKS.len();
        Usage(format!(
            "there is no task {number}. The tasks are 1 to {last}"
        ))
    })
}

/// The task of this number; or all tasks, if no number is given.
///
/// # Errors
/// [`Usage`], if there is no task of this number.
pub fn tasks(only: Option<u32>) -> Result<Vec<&'static Task>, Usage> {
    match only {
        Some(number) => Ok(vec![task(number)?]),
        None => Ok(TASKS.iter().collect()),
    }
}
