//! `cargo lab run`: runs a lab program in this terminal.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use judge::programs::{self, Version};

/// Builds the program, and replaces this process by it. So this function returns only if something fails.
pub fn run(program: &str, solution: bool) -> Result<ExitCode> {
    let version = if solution {
        Version::Solution
    } else {
        Version::Own
    };
    let built = programs::build(&[program], version)?;
    let executable = built
        .get(program)
        .with_context(|| format!("Cargo did not build {program}"))?;
    let shared = terminal::running()?;
    let mut command = Command::new(executable);
    command.env("BOOTSTRAP_SERVERS", &shared.bootstrap);
    // Nothing is between the program and the terminal, as with `cargo run`: the program is the user's own, and may color what it
    // prints. It gets Ctrl-C itself, and its exit status is the command's.
    let error = command.exec();
    Err(error).with_context(|| format!("{} could not be started", executable.display()))
}
