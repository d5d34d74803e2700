//! The command line as its users call it, with a port of its own.

use std::ops::Range;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Error, Result, ensure};
use broker::{free_port, run};
use judge::programs::{build_in, workspace};

/// Where a lab of the tests listens: apart from private brokers, for it may take a while until it does.
const PORTS: Range<u16> = 10_000..16_384;

/// How long a command may take that nothing is in the way of.
pub const LIMIT: Duration = Duration::from_secs(300);

/// The executables of `cargo lab`, by package.
const EXECUTABLES: [(&str, &str); 3] = [
    ("cli", "lab"),
    ("grading", "lab-grading"),
    ("watch", "lab-watch"),
];

/// `cargo lab` with a port of its own, so that it never meets the Kafka someone is working with.
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

    /// A command in the executable that it ends up in, without asking Cargo again whether that is built.
    pub fn command(&self, arguments: &str) -> Command {
        let mut words = arguments.split_whitespace().peekable();
        let executable = match words.peek() {
            Some(&("grade" | "review" | "export" | "package")) => 1,
            Some(&"watch") => {
                words.next();
                2
            }
            _ => 0,
        };
        let mut command = Command::new(&self.executables[executable]);
        command.args(words);
        self.isolate(command)
    }

    /// The command in `lab` itself, as an alias calls it.
    pub fn in_lab(&self, arguments: &str) -> Command {
        let mut command = Command::new(&self.executables[0]);
        command.args(arguments.split_whitespace());
        self.isolate(command)
    }

    /// A shell script in which `$0` is `lab`.
    pub fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(&self.executables[0]);
        self.isolate(command)
    }

    fn isolate(&self, mut command: Command) -> Command {
        command
            .env("KAFKA_LAB_PORT", self.port.to_string())
            .env_remove("BOOTSTRAP_SERVERS")
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end; its exit status must be 0. Returns standard output.
    pub fn run(&self, arguments: &str) -> Result<String> {
        let output = run(&mut self.command(arguments), LIMIT);
        output
            .and_then(|output| text(&output))
            .with_context(|| arguments.to_string())
    }

    /// Runs it to its end; its exit status must not be 0. Returns standard error.
    pub fn refused(&self, command: &mut Command) -> Result<String> {
        let output = run(command, LIMIT)?;
        ensure!(!output.status.success(), "it succeeded");
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

pub fn text(output: &Output) -> Result<String> {
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}\n{out}\n{err}", output.status);
    Ok(out)
}
