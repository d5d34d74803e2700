//! A process that judges one submission after another for a worker. It is a process of its own, so that a submission that ends its
//! grader ends nothing else, and so that a submission can be given up at any time: then its grader is killed, and the grader's
//! brokers end with it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::queue::connection::Connection;
use crate::queue::message::{Answer, Job};

/// The hidden command that runs [`judge_jobs`](crate::queue::judge_jobs).
const COMMAND: &str = "judge-jobs";

/// What a grader is asked to judge: a line of JSON, and then so many bytes of a packed intake.
#[derive(Clone, Serialize, Deserialize)]
pub struct Task {
    pub job: Job,
    /// Identifies this start.
    pub start: String,
    pub bytes: usize,
}

/// What a grader process has said.
pub enum Said {
    Answer(Box<Answer>),
    Nothing,
    /// It has ended.
    Ended,
}

/// A grader process. Dropping it kills it.
pub struct GraderProcess {
    child: Child,
    input: ChildStdin,
    answers: Receiver<Answer>,
}

impl GraderProcess {
    /// Starts a grader that uses up to so many brokers at the same time. If its worker ends, it connects to the same cluster to say that its submission is given up.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn start(connection: &Connection, brokers: usize) -> Result<Self> {
        let mut command = Command::new(confine::own_executable()?);
        command.args([COMMAND, "--brokers", &brokers.to_string()]);
        command.args(["--through", &connection.servers]);
        if let Some(file) = &connection.settings_file {
            command.arg("--kafka-settings").arg(file);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C in the terminal is for the worker, which then ends its graders.
            .process_group(0)
            .spawn()
            .context("a grader process could not be started")?;
        let input = child.stdin.take().context("the grader has no input")?;
        let output = child.stdout.take().context("the grader has no output")?;
        let (sender, answers) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let answer = line.ok().and_then(|line| serde_json::from_str(&line).ok());
                let Some(answer) = answer else { break };
                if sender.send(answer).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            input,
            answers,
        })
    }

    /// Asks it to judge a packed intake.
    ///
    /// # Errors
    /// When it has ended.
    pub fn ask(&mut self, task: &Task, packed: &[u8]) -> Result<()> {
        let mut line = serde_json::to_vec(task)?;
        line.push(b'\n');
        self.input.write_all(&line)?;
        self.input.write_all(packed)?;
        Ok(self.input.flush()?)
    }

    /// What it has said since the last call.
    pub fn said(&self) -> Said {
        match self.answers.try_recv() {
            Ok(answer) => Said::Answer(Box::new(answer)),
            Err(TryRecvError::Empty) => Said::Nothing,
            Err(TryRecvError::Disconnected) => Said::Ended,
        }
    }
}

impl Drop for GraderProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Task {
    /// The next task, and its packed intake; `None` if there are no more.
    pub fn read(input: &mut impl BufRead) -> Option<(Self, Vec<u8>)> {
        let mut line = String::new();
        input.read_line(&mut line).ok()?;
        let task: Self = serde_json::from_str(&line).ok()?;
        let mut packed = vec![0; task.bytes];
        input.read_exact(&mut packed).ok()?;
        Some((task, packed))
    }
}
