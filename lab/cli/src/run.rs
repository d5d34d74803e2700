//! `cargo lab run`: a lab program in this terminal.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use judge::programs::{self, Version};

pub fn run(program: &str, solution: bool) -> Result<ExitCode> {
    let version = if solution {
        Version::Solution
    } else {
        Version::Own
    };
    let built = programs::build(&[program], version)?;
    let executable = built.get(program).context("it was not built")?;
    let lab = terminal::running()?;
    let mut command = Command::new(executable);
    command.env("BOOTSTRAP_SERVERS", &lab.bootstrap);
    // The program takes our place, so that Ctrl-C and the exit status are its own.
    let error = command.exec();
    Err(error).with_context(|| format!("{} could not be started", executable.display()))
}
