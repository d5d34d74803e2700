//! One run of a lab program.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use broker::wait;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use parking_lot::{Mutex, MutexGuard};
use tempfile::TempDir;

/// How many of a program's last lines an error shows.
const LAST_LINES: usize = 5;

/// How many bytes of a line are kept together; the rest counts as lines of its own.
const LONGEST_LINE: u64 = 64 * 1024;

/// What a line takes besides its text, in bytes.
const A_LINE: usize = 64;

/// How many bytes of a stream are kept.
const MOST_OUTPUT: usize = 8 * 1024 * 1024;

/// How many are read at all. Whoever prints more is ended by a broken pipe.
const MOST_READ: usize = 64 * 1024 * 1024;

/// However much a program prints, nobody waits longer for what it should.
const MOST_TIME: Duration = Duration::from_secs(30);

/// Where a lab program is told which cluster to use.
pub const BOOTSTRAP_SERVERS: &str = "BOOTSTRAP_SERVERS";

/// A line that a program printed, without its end, and when.
#[derive(Clone, Debug)]
pub struct Line {
    pub at: Instant,
    pub text: String,
}

/// A running or ended program. Dropping it kills it and everything in its process group.
#[derive(Debug)]
pub struct Program {
    child: Child,
    group: Pid,
    out: Stream,
    err: Stream,
    transcript: Transcript,
    /// The other end of a full pipe. Were it closed, the program would end with a broken pipe.
    stalled: Option<PipeReader>,
    /// Its standard output, where it is to be stalled later.
    to_fill: Option<PipeWriter>,
    _folder: TempDir,
}

/// What came on one stream so far, and the thread that reads it.
#[derive(Debug)]
struct Stream {
    lines: Lines,
    reader: JoinHandle<()>,
}

type Lines = Arc<Mutex<Vec<Line>>>;

/// What was done to a program, or became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    Started,
    /// Ctrl-C.
    Interrupted,
    /// `kill -9`.
    Killed,
    /// It has ended, in this way. Noticed when somebody looked.
    Ended(ExitStatus),
}

/// What is known of a run, also after the program has gone: what was done to it, and its lines on both streams.
#[derive(Clone, Debug)]
pub struct Transcript {
    pub name: String,
    deeds: Arc<Mutex<Vec<(Instant, Deed)>>>,
    out: Lines,
    err: Lines,
}

impl Transcript {
    /// What was done to it, and when.
    pub fn deeds(&self) -> Vec<(Instant, Deed)> {
        self.deeds.lock().clone()
    }

    /// What it printed on standard output.
    pub fn out(&self) -> Vec<Line> {
        self.out.lock().clone()
    }

    /// What it printed on standard error.
    pub fn err(&self) -> Vec<Line> {
        self.err.lock().clone()
    }

    fn note(&self, deed: Deed) {
        self.deeds.lock().push((Instant::now(), deed));
    }

    fn note_end(&self, status: ExitStatus) {
        let mut deeds = self.deeds.lock();
        let is_end = |(_, deed): &(Instant, Deed)| matches!(deed, Deed::Ended(_));
        if !deeds.iter().any(is_end) {
            deeds.push((Instant::now(), Deed::Ended(status)));
        }
    }
}

impl Program {
    /// Starts a lab program against the cluster at `bootstrap`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, executable: &Path, bootstrap: &str) -> Result<Self> {
        Self::run(
            name,
            Command::new(executable).env(BOOTSTRAP_SERVERS, bootstrap),
        )
    }

    /// As [`Program::run`], but with a full pipe for standard output that nobody reads: the program blocks in its first
    /// print, so in the middle of processing, until it is killed.
    ///
    /// # Errors
    /// As there.
    pub fn run_stalled(name: &str, command: &mut Command) -> Result<Self> {
        let (reader, mut writer) = std::io::pipe()?;
        fill(&mut writer)?;
        let mut program = Self::spawn(name, command, writer, None)?;
        program.stalled = Some(reader);
        Ok(program)
    }

    /// As [`Program::run_stalled`], but nothing is in its way until [`Program::stall`]: what it prints before, in all no more
    /// than a pipe holds, nobody reads.
    ///
    /// # Errors
    /// As there.
    pub fn run_to_stall(name: &str, command: &mut Command) -> Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        let to_fill = writer.try_clone()?;
        let mut program = Self::spawn(name, command, writer, None)?;
        program.stalled = Some(reader);
        program.to_fill = Some(to_fill);
        Ok(program)
    }

    /// From now on it blocks in its next print, until it is killed.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn stall(&mut self) -> Result<()> {
        self.to_fill.as_mut().map_or(Ok(()), fill)
    }

    /// Starts a command whose first line finds nobody who reads it any more.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run_unread(name: &str, command: &mut Command) -> Result<Self> {
        let (_, writer) = std::io::pipe()?;
        Self::spawn(name, command, writer, None)
    }

    /// Starts a command in a fresh folder, as the leader of a process group.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(name: &str, command: &mut Command) -> Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        Self::spawn(name, command, writer, Some(reader))
    }

    fn spawn(
        name: &str,
        command: &mut Command,
        out: PipeWriter,
        out_reader: Option<PipeReader>,
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (err_reader, err) = std::io::pipe()?;
        let child = command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .spawn()
            .with_context(|| format!("{name} could not be started"))?;
        // The command holds our ends of the pipes, and the readers would wait for those too.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let group = Pid::from_raw(child.id().cast_signed());
        let (out, err) = (Stream::read(out_reader), Stream::read(Some(err_reader)));
        let transcript = Transcript {
            name: name.to_string(),
            deeds: Arc::default(),
            out: Arc::clone(&out.lines),
            err: Arc::clone(&err.lines),
        };
        transcript.note(Deed::Started);
        Ok(Self {
            child,
            group,
            out,
            err,
            transcript,
            stalled: None,
            to_fill: None,
            _folder: folder,
        })
    }

    /// What is known of this run; it grows as the run goes on.
    pub fn transcript(&self) -> Transcript {
        self.transcript.clone()
    }

    /// Its process id, which is also that of its process group.
    pub fn pid(&self) -> Pid {
        self.group
    }

    /// What it printed on standard output so far.
    pub fn lines(&self) -> Vec<Line> {
        self.out.lines().clone()
    }

    /// The same without the times.
    pub fn texts(&self) -> Vec<String> {
        self.out
            .lines()
            .iter()
            .map(|line| line.text.clone())
            .collect()
    }

    /// What it printed on standard error so far.
    pub fn errors(&self) -> Vec<Line> {
        self.err.lines().clone()
    }

    /// Waits until what it has printed so far satisfies `look`.
    ///
    /// # Errors
    /// When it has not after `limit`, or the program ends before; with its last lines.
    pub fn wait_for<T>(
        &mut self,
        what: &str,
        limit: Duration,
        look: impl Fn(&[Line]) -> Option<T>,
    ) -> Result<T> {
        let waited_for = format!("{} to print {what}", self.transcript.name);
        let seen = wait::until(&waited_for, limit, || {
            // Ended before its last lines were read? They are complete once both readers are done.
            let ended = self.all_read();
            if let Some(seen) = look(&self.out.lines()) {
                return Ok(Some(seen));
            }
            if ended {
                bail!("{} ended; {what} was expected", self.transcript.name);
            }
            Ok(None)
        });
        seen.with_context(|| self.last_lines())
    }

    /// As [`Program::wait_for`], but gives up early, without an error: `None` once it has printed nothing for `quiet` since
    /// the wait began, or has printed nothing at all for `limit`.
    ///
    /// # Errors
    /// On Ctrl-C.
    pub fn wait_while_it_prints<T>(
        &mut self,
        limit: Duration,
        quiet: Duration,
        mut look: impl FnMut(&[Line]) -> Option<T>,
    ) -> Result<Option<T>> {
        let start = Instant::now();
        loop {
            let ended = self.all_read();
            let last = {
                let lines = self.out.lines();
                if let Some(seen) = look(&lines) {
                    return Ok(Some(seen));
                }
                lines.last().map(|line| line.at)
            };
            let is_quiet = match last {
                Some(at) => at.max(start).elapsed() >= quiet,
                None => start.elapsed() >= limit,
            };
            if ended || is_quiet || start.elapsed() >= MOST_TIME {
                return Ok(None);
            }
            wait::pass(Duration::from_millis(10))?;
        }
    }

    /// Waits until it has ended by itself, and all it printed has been read.
    ///
    /// # Errors
    /// When it has not after `limit`.
    pub fn wait_for_end(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.end_within(limit)?.with_context(|| {
            format!(
                "waited {} s for {} to end. {}",
                limit.as_secs_f32(),
                self.transcript.name,
                self.last_lines()
            )
        })
    }

    /// As [`Program::wait_for_end`], where it may as well run on: `None` when it still runs after `limit`.
    ///
    /// # Errors
    /// On Ctrl-C, or when the system cannot tell.
    pub fn end_within(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        wait::up_to(limit, || {
            let status = self.try_wait()?;
            Ok(status.filter(|_| self.all_read()))
        })
    }

    /// Waits until something holds that it should bring about. Returns whether it does: not after `limit`, or when it has
    /// ended without.
    ///
    /// # Errors
    /// When `holds` fails, on Ctrl-C, or when the system cannot tell.
    pub fn until(
        &mut self,
        limit: Duration,
        mut holds: impl FnMut() -> Result<bool>,
    ) -> Result<bool> {
        let seen = wait::up_to(limit, || {
            // In this order: what it did last counts as well.
            let has_ended = !self.is_running()?;
            let holds = holds()?;
            Ok((holds || has_ended).then_some(holds))
        })?;
        Ok(seen.unwrap_or(false))
    }

    /// Is it still running?
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.try_wait()?.is_none())
    }

    fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if let Some(status) = status {
            self.transcript.note_end(status);
        }
        Ok(status)
    }

    /// Presses Ctrl-C: sends SIGINT.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn interrupt(&self) -> Result<()> {
        self.transcript.note(Deed::Interrupted);
        self.signal(Signal::SIGINT)
    }

    /// Stops it where it is (SIGSTOP), until it is resumed or killed.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets a paused one go on (SIGCONT).
    ///
    /// # Errors
    /// When it has ended already.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        killpg(self.group, signal).with_context(|| format!("{} has ended", self.transcript.name))
    }

    /// Kills it, as `kill -9` does, and waits until it is gone.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn kill(&mut self) -> Result<()> {
        self.transcript.note(Deed::Killed);
        self.signal(Signal::SIGKILL)?;
        self.wait_for_end(Duration::from_secs(10)).map(drop)
    }

    /// As [`Program::kill`], where it still runs.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill_if_running(&mut self) -> Result<()> {
        if self.is_running()? {
            self.kill()
        } else {
            Ok(())
        }
    }

    /// Its last lines on both streams, for a message.
    pub fn last_lines(&self) -> String {
        let mut text = format!("{}'s last lines:", self.transcript.name);
        for (stream, name) in [(&self.out, "out"), (&self.err, "err")] {
            let lines = stream.lines();
            for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
                text += &format!("\n  {name}| {}", line.text);
            }
        }
        text
    }

    fn all_read(&self) -> bool {
        self.out.reader.is_finished() && self.err.reader.is_finished()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if matches!(self.try_wait(), Ok(None)) {
            self.transcript.note(Deed::Killed);
        }
        let _ = killpg(self.group, Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

impl Stream {
    /// Reads to the end; without a pipe there is nothing to read. Of a flood, the beginning and the end are kept.
    fn read(from: Option<PipeReader>) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&lines);
        let reader = thread::spawn(move || {
            let Some(from) = from else { return };
            let mut from = BufReader::new(from);
            let mut kept = 0;
            let mut beginning = 0;
            let mut all = 0;
            while all < MOST_READ {
                let mut line = Vec::new();
                match from
                    .by_ref()
                    .take(LONGEST_LINE)
                    .read_until(b'\n', &mut line)
                {
                    Ok(0) | Err(_) => return,
                    Ok(read) => {
                        kept += read + A_LINE;
                        all += read;
                    }
                }
                let text = String::from_utf8_lossy(&line).trim_end().to_string();
                let at = Instant::now();
                let mut lines = to.lock();
                lines.push(Line { at, text });
                if kept < MOST_OUTPUT / 2 {
                    beginning = lines.len();
                } else if kept > MOST_OUTPUT {
                    let middle = beginning..beginning + (lines.len() - beginning) / 2;
                    kept -= lines
                        .drain(middle)
                        .map(|line| line.text.len() + 1 + A_LINE)
                        .sum::<usize>();
                }
            }
        });
        Self { lines, reader }
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock()
    }
}

/// Fills a pipe up, so that it takes not one byte more.
fn fill(writer: &mut PipeWriter) -> Result<()> {
    /// The program and we may both be writing: so much goes in as a whole, or not yet (`PIPE_BUF`).
    const PAGE: [u8; 4096] = [b'\n'; 4096];
    loop {
        let mut room = [PollFd::new(writer.as_fd(), PollFlags::POLLOUT)];
        if poll(&mut room, PollTimeout::ZERO)? == 0 {
            return Ok(());
        }
        writer.write_all(&PAGE)?;
    }
}
