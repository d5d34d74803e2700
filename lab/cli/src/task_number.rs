//! The number of a task, as it stands on the command line.

use judge::{TASKS, Task};
use terminal::Usage;

/// The task of this number.
///
/// # Errors
/// [`Usage`], when there is none.
pub fn task(number: u32) -> Result<&'static Task, Usage> {
    let task = TASKS.iter().find(|task| task.number == number);
    task.ok_or_else(|| {
        let last = TASKS.len();
        Usage(format!("there is no task {number}: they are 1 to {last}"))
    })
}

/// Only the task of this number, or all.
///
/// # Errors
/// As [`task`].
pub fn tasks(only: Option<u32>) -> Result<Vec<&'static Task>, Usage> {
    match only {
        Some(number) => Ok(vec![task(number)?]),
        None => Ok(TASKS.iter().collect()),
    }
}
