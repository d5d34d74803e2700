//! What was asked for, and errors in it.

use std::fmt;

use checks::{TASKS, Task};

/// Was asked for what there is not. The exit status says so: 2, as for words that the command line does not know.
#[derive(Debug)]
pub struct Usage(pub String);

impl Usage {
    /// The exit status.
    pub const STATUS: u8 = 2;
}

impl std::error::Error for Usage {}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

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
