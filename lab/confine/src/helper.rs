//! A helper: a second process of the same executable. It does what could end the process that does it, such as reading a file
//! that nobody trusts. It answers questions, one line for each. If it ends, the next question starts a new one.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio, exit};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::alarm;

use crate::own_executable;

/// The first line of a helper. It says that the process could be started.
const READY: &[u8] = b"ready";

/// The longest answer, in bytes.
const LONGEST_ANSWER: usize = 64 << 20;

/// How much writable memory a helper may have, in bytes.
const MEMORY: u64 = 512 << 20;

/// The largest file that a helper may write, in bytes. SQLite may have to make the index of a write-ahead log.
const FILE: u64 = 64 << 20;

/// How often the one who waits for an answer checks whether to stop, in milliseconds.
const CHECK_INTERVAL: u8 = 100;

/// The signals by which what it reads can end a helper.
const FAULTS: [Signal; 7] = [
    Signal::SIGABRT,
    Signal::SIGALRM,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGSEGV,
    Signal::SIGXFSZ,
];

/// A helper, which is started by the first question.
#[derive(Debug)]
pub struct Helper {
    program: PathBuf,
    words: Vec<OsString>,
    running: Option<Running>,
}

/// What came of a question.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    Answer(String),
    /// There is none, for this reason: what the helper read has ended it.
    Ended(String),
}

#[derive(Debug)]
struct Running {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Helper {
    /// A helper that is this executable, started with these arguments. It must call [`serve`].
    ///
    /// # Errors
    /// If the path of this executable is unknown.
    pub fn new(words: Vec<OsString>) -> io::Result<Self> {
        Ok(Self {
            program: own_executable()?,
            words,
            running: None,
        })
    }

    /// Asks a question, which is one line. While there is no answer yet, `check` says whether to stop.
    ///
    /// # Errors
    /// If no helper can be started, if it ends for a reason that has nothing to do with what it reads, or the error of `check`.
    pub fn ask(&mut self, question: &str, mut check: impl FnMut() -> Result<()>) -> Result<Reply> {
        let mut running = match self.running.take() {
            Some(running) => running,
            None => self.start(&mut check)?,
        };
        // If this fails, it has ended, and reading fails as well.
        let _ = writeln!(running.questions, "{question}");
        let mut answer = Vec::new();
        if running.read(&mut answer, &mut check)? {
            self.running = Some(running);
            return Ok(Reply::Answer(String::from_utf8(answer)?));
        }
        if answer.len() > LONGEST_ANSWER {
            let most = LONGEST_ANSWER >> 20;
            return Ok(Reply::Ended(format!("the answer is longer than {most} MB")));
        }
        let status = running.end()?;
        match why(status) {
            Some(reason) => Ok(Reply::Ended(reason)),
            None => bail!("the process that should read has ended: {status}"),
        }
    }

    fn start(&self, check: &mut impl FnMut() -> Result<()>) -> Result<Running> {
        let mut child = Command::new(&self.program)
            .args(&self.words)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C in the terminal must reach only us.
            .process_group(0)
            .spawn()
            .context("the process that should read could not be started")?;
        let questions = child.stdin.take().context("it has no standard input")?;
        let answers = child.stdout.take().context("it has no standard output")?;
        let mut running = Running {
            child,
            questions,
            answers: BufReader::new(answers),
        };
        let mut first = Vec::new();
        if !running.read(&mut first, check)? || first != READY {
            let status = running.end()?;
            bail!("the process that should read did not start: {status}");
        }
        Ok(running)
    }
}

impl Running {
    /// Reads a line, without its end. Returns whether there was a whole line that is not too long.
    fn read(&mut self, line: &mut Vec<u8>, check: &mut impl FnMut() -> Result<()>) -> Result<bool> {
        while line.len() <= LONGEST_ANSWER {
            while self.answers.buffer().is_empty() && !is_ready(self.answers.get_ref())? {
                check()?;
            }
            let read = self.answers.fill_buf()?;
            if read.is_empty() {
                return Ok(false);
            }
            let end = read.iter().position(|byte| *byte == b'\n');
            line.extend_from_slice(&read[..end.unwrap_or(read.len())]);
            let length = end.map_or(read.len(), |end| end + 1);
            self.answers.consume(length);
            if end.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Ends it, if it has not ended by itself, and returns how it ended.
    fn end(&mut self) -> io::Result<ExitStatus> {
        let _ = self.child.kill();
        self.child.wait()
    }
}

/// Waits a moment until something can be read from a helper, or until the helper has ended. Returns whether one of them is true.
fn is_ready(answers: &ChildStdout) -> Result<bool> {
    let mut watched = [PollFd::new(answers.as_fd(), PollFlags::POLLIN)];
    match poll(&mut watched, PollTimeout::from(CHECK_INTERVAL)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// Why a helper has ended, if what it read can have caused that.
fn why(status: ExitStatus) -> Option<String> {
    let signal = Signal::try_from(status.signal()?).ok()?;
    let is_fault = FAULTS.contains(&signal);
    is_fault.then(|| match signal {
        Signal::SIGALRM => "it took too long".to_string(),
        Signal::SIGABRT => format!("it took more than {} MB of memory", MEMORY >> 20),
        Signal::SIGBUS => "a file became shorter in the meantime (SIGBUS)".to_string(),
        other => format!("it ended with {other}"),
    })
}

/// Answers questions until nobody is left to ask any, and then ends. This is what the process of a helper does. If an answer takes
/// more than this many seconds, the kernel ends the process, even if the one who asked has ended before.
pub fn serve(seconds: u32, answer: impl FnMut(&str) -> String) -> ! {
    // Nothing can be said to anybody if this fails. The one who asked sees that the process has ended.
    exit(i32::from(answer_all(seconds, answer).is_err()))
}

fn answer_all(seconds: u32, mut answer: impl FnMut(&str) -> String) -> Result<()> {
    for (resource, most) in [
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_DATA, MEMORY),
        (Resource::RLIMIT_FSIZE, FILE),
    ] {
        setrlimit(resource, most, most)?;
    }
    let mut answers = io::stdout().lock();
    let mut say = |line: &[u8]| answers.write_all(&[line, b"\n"].concat());
    say(READY)?;
    for question in io::stdin().lines() {
        alarm::set(seconds);
        let line = answer(&question?);
        alarm::cancel();
        say(line.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A helper that is a shell script. It has said that it is ready, and has read its first question.
    fn script(then: &str) -> Helper {
        let text = format!("echo ready; read question; {then}");
        of("/bin/sh", vec!["-c".into(), text.into()])
    }

    fn of(program: &str, words: Vec<OsString>) -> Helper {
        Helper {
            program: program.into(),
            words,
            running: None,
        }
    }

    fn go_on() -> Result<()> {
        Ok(())
    }

    fn ended(then: &str) -> Result<String> {
        match script(then).ask("?", go_on)? {
            Reply::Ended(reason) => Ok(reason),
            Reply::Answer(answer) => bail!("{then} answered {answer}"),
        }
    }

    #[test]
    fn one_process_answers_many_questions() -> Result<()> {
        let mut helper = script("echo $$ $question; read question; echo $$ $question");
        let mut ask = |question| match helper.ask(question, go_on)? {
            Reply::Answer(answer) => Ok(answer),
            Reply::Ended(reason) => bail!(reason),
        };
        let (first, second) = (ask("one")?, ask("two")?);
        assert!(first.ends_with(" one"), "{first}");
        assert_eq!(first.replace(" one", " two"), second);
        Ok(())
    }

    #[test]
    fn what_ends_it_ends_nobody_else() -> Result<()> {
        assert!(ended("kill -BUS $$")?.contains("shorter"));
        assert!(ended("kill -ABRT $$")?.contains("memory"));
        assert!(ended("kill -ALRM $$")?.contains("too long"));
        assert!(ended("kill -SEGV $$")?.contains("SIGSEGV"));
        assert!(ended("cat /dev/zero")?.contains("longer than 64 MB"));
        Ok(())
    }

    #[test]
    fn the_next_question_starts_a_new_one() -> Result<()> {
        let mut helper = script("test $question = bad && kill -BUS $$; echo fine");
        assert!(matches!(helper.ask("bad", go_on)?, Reply::Ended(_)));
        assert_eq!(
            helper.ask("good", go_on)?,
            Reply::Answer("fine".to_string())
        );
        Ok(())
    }

    #[test]
    fn what_is_not_the_fault_of_a_file_is_an_error() {
        assert!(script("kill -KILL $$").ask("?", go_on).is_err());
        assert!(script("exit 1").ask("?", go_on).is_err());
        let not_ready = |program| of(program, Vec::new()).ask("?", go_on);
        assert!(not_ready("/bin/true").is_err());
        assert!(not_ready("/nonexistent").is_err());
    }

    #[test]
    fn a_wait_for_an_answer_can_be_stopped() {
        let stop = || bail!("stopped");
        let asked = script("exec sleep 60").ask("?", stop);
        assert!(asked.is_err_and(|error| error.to_string() == "stopped"));
    }
}
