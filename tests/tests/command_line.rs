//! `cargo lab` as its users call it, on a port of its own.

use std::ops::Range;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Error, Result, ensure};
use broker::{free_port, run};
use judge::programs::{build_in, workspace};

/// The ports for the Kafka of a [`CommandLine`]. Private brokers use other ports. Otherwise one of them could take a
/// port that was chosen here, because some time may pass before Kafka uses it.
const PORTS: Range<u16> = 10_000..16_384;

/// How long a command may take if nothing blocks it.
pub const LIMIT: Duration = Duration::from_secs(300);

/// The executables of `cargo lab`, by package.
const EXECUTABLES: [(&str, &str); 4] = [
    ("cli", "lab"),
    ("grading", "lab-grading"),
    ("watch", "lab-watch"),
    ("bench", "lab-bench"),
];

/// `cargo lab` with a port of its own, so that it never uses the Kafka that somebody is working with. Dropping it stops
/// the Kafka that it has started.
pub struct CommandLine {
    port: u16,
    executables: Vec<PathBuf>,
}

impl CommandLine {
    pub fn new() -> Result<Self> {
        let port = free_port(PORTS)?;
        static BUILT: OnceLock<Result<Vec<PathBuf>, String>> = OnceLock::new();
        let built = BUILT.get_or_init(|| {
            let targets =
                EXECUTABLES.map(|(package, name)| (package.to_string(), name.to_string()));
            build_in(workspace(), &targets).map_err(|error| format!("{error:#}"))
        });
        let executables = built.clone().map_err(Error::msg)?;
        Ok(Self { port, executables })
    }

    /// A command of `cargo lab`. It runs the executable that implements the command, so Cargo does not check each time
    /// whether that executable is up to date.
    pub fn command(&self, arguments: &str) -> Command {
        let mut words = arguments.split_whitespace().peekable();
        let executable = match words.peek() {
            Some(&("grade" | "worker" | "review" | "export" | "package")) => 1,
            Some(&"watch") => {
                words.next();
                2
            }
            Some(&"bench") => {
                words.next();
                3
            }
            _ => 0,
        };
        let mut command = Command::new(&self.executables[executable]);
        command.args(words);
        self.isolate(command)
    }

    /// A command of `cargo lab`. It runs `lab`, as the alias does, even if another executable implements the command.
    pub fn in_lab(&self, arguments: &str) -> Command {
        let mut command = Command::new(&self.executables[0]);
        command.args(arguments.split_whitespace());
        self.isolate(command)
    }

    /// A shell script in which `$0` is the executable `lab`, and `$1` is `lab-watch`.
    pub fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .args([&self.executables[0], &self.executables[2]]);
        self.isolate(command)
    }

    fn isolate(&self, mut command: Command) -> Command {
        command
            .env("KAFKA_LAB_PORT", self.port.to_string())
            .env_remove("BOOTSTRAP_SERVERS")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end and returns its standard output. Its exit status must be 0.
    pub fn run(&self, arguments: &str) -> Result<String> {
        let output = run(&mut self.command(arguments), LIMIT);
        output
            .and_then(|output| text(&output))
            .with_context(|| arguments.to_string())
    }

    /// Runs a command to its end and returns its standard error. Its exit status must not be 0.
    pub fn refused(&self, command: &mut Command) -> Result<String> {
        let output = run(command, LIMIT)?;
        ensure!(
            !output.status.success(),
            "{command:?} succeeded, but must fail"
        );
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for CommandLine {
    fn drop(&mut self) {
        let _ = run(&mut self.command("down"), LIMIT);
    }
}

/// The standard output of a command that has ended. Its exit status must be 0.
pub fn text(output: &Output) -> Result<String> {
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}\n{out}\n{err}", output.status);
    Ok(out)
}
