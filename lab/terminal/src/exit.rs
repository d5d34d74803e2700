//! How a command ends: its exit status, and what it prints if it fails.

use std::fmt;
use std::process::ExitCode;

use anyhow::Result;
use broker::wait;
use cluster::printable;

/// The exit status after Ctrl-C, as in shells: 128 plus the number of SIGINT.
const INTERRUPTED: u8 = 130;

/// A usage error: the user asked for something that does not exist, such as task 9. The exit status is 2, the same as for an
/// unknown option.
#[derive(Debug)]
pub struct Usage(pub String);

impl Usage {
    const STATUS: u8 = 2;
}

impl std::error::Error for Usage {}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Runs a command and returns its exit status. If the command fails, prints its error. Ctrl-C ends whatever the command is waiting
/// for, and the command then stops what it has started.
pub fn run_command(command: impl FnOnce() -> Result<ExitCode>) -> ExitCode {
    common::end_with_the_reader();
    if let Err(error) = ctrlc::set_handler(wait::interrupt) {
        eprintln!("Error: Ctrl-C cannot be handled: {error}");
        return ExitCode::FAILURE;
    }
    match command() {
        Ok(code) => code,
        // A command that fails after Ctrl-C fails because of it.
        Err(_) if wait::interrupted() => {
            eprintln!("Stopped by Ctrl-C. Nothing was left running.");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            eprintln!("Error: {}", printable(&format!("{error:#}")));
            match error.downcast_ref() {
                Some(Usage(_)) => ExitCode::from(Usage::STATUS),
                None => ExitCode::FAILURE,
            }
        }
    }
}
