//! One run of a lab program: starting it, waiting for what it does, and ending it.

use std::io::{PipeReader, PipeWriter};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use broker::spent::{Waiting, count_as};
use broker::wait;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::contract::WORK_LIMIT;
use crate::programs::file_limit::limit_files;
use crate::programs::output::{Line, Stream, fill};
use crate::programs::process_group::cpu_time;
use crate::programs::transcript::{Deed, Transcript};

/// How many of the last lines of each stream an error message shows.
const LAST_LINES: usize = 5;

/// The longest wait for a line of a program that keeps printing other lines.
const MOST_TIME: Duration = Duration::from_secs(30);

/// How long a supervisor may take to start its program. It usually takes milliseconds.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How long a program may take to begin its work. On a busy machine, a Java client has taken 20 s.
const BEGIN_LIMIT: Duration = Duration::from_secs(60);

/// How soon most programs begin their work.
const SOON: Duration = Duration::from_secs(1);

/// A program that uses less CPU time than [`IDLE_WORK`], in milliseconds, for this long does not begin any more. On a machine where
/// twenty programs compete for each core, one that is starting gets more.
const IDLE: Duration = Duration::from_secs(5);
const IDLE_WORK: u128 = 100;

/// The environment variable that gives a lab program the address of the cluster.
pub const BOOTSTRAP_SERVERS: &str = "BOOTSTRAP_SERVERS";

/// A program that runs or has ended. Dropping it kills everything in its process group.
#[derive(Debug)]
pub struct Program {
    child: Child,
    group: Pid,
    out: Stream,
    err: Stream,
    transcript: Transcript,
    /// The reading end of a pipe that nobody reads. If it were closed, the program would end with a broken pipe.
    stalled: Option<PipeReader>,
    /// The writing end of its standard output, if [`Program::stall`] may fill it later.
    to_fill: Option<PipeWriter>,
    /// Whether a full pipe stopped it when that end was last looked at.
    blocks: bool,
    _folder: TempDir,
}

impl Program {
    /// Starts a lab program that uses the cluster at `bootstrap`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, executable: &Path, bootstrap: &str) -> Result<Self> {
        Self::run(
            name,
            Command::new(executable).env(BOOTSTRAP_SERVERS, bootstrap),
        )
    }

    /// Like [`Program::run`], but standard output is a full pipe that nobody reads. The program therefore blocks in its
    /// first print, in the middle of processing, until it is killed.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run_stalled(name: &str, command: &mut Command) -> Result<Self> {
        let (reader, mut writer) = std::io::pipe()?;
        fill(&mut writer)?;
        let mut program = Self::spawn(name, command, writer, None)?;
        program.stalled = Some(reader);
        Ok(program)
    }

    /// Like [`Program::run_stalled`], but the program can print until [`Program::stall`] is called.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run_to_stall(name: &str, command: &mut Command) -> Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        let (stalled, to_fill) = (reader.try_clone()?, writer.try_clone()?);
        let mut program = Self::spawn(name, command, writer, Some(reader))?;
        program.stalled = Some(stalled);
        program.to_fill = Some(to_fill);
        Ok(program)
    }

    /// Makes a program that [`Program::run_to_stall`] started block in its next print, until it is killed. What it prints from
    /// now on is not read. [`Program::blocks_in_print`] says whether this works with the program.
    ///
    /// # Errors
    /// When the system refuses, or on Ctrl-C.
    pub fn stall(&mut self) -> Result<()> {
        let Some(to_fill) = &mut self.to_fill else {
            return Ok(());
        };
        self.out.stop()?;
        fill(to_fill)
    }

    /// Whether a full pipe stops a program that [`Program::run_to_stall`] started. It does not stop a Node program: that sets
    /// its output to `O_NONBLOCK` with its first print, keeps in memory what the pipe does not take, and goes on.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn blocks_in_print(&self) -> Result<bool> {
        let Some(to_fill) = &self.to_fill else {
            return Ok(self.blocks);
        };
        // The program's standard output and our writing end are the same open file, and so they share this flag.
        let flags = OFlag::from_bits_retain(fcntl(to_fill, FcntlArg::F_GETFL)?);
        Ok(!flags.contains(OFlag::O_NONBLOCK))
    }

    /// Gives up the chance to stall a program that [`Program::run_to_stall`] started: its standard output is its own from now on.
    /// Returns what [`Program::blocks_in_print`] says. That is right if it has printed something.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn let_go_of_output(&mut self) -> Result<bool> {
        self.blocks = self.blocks_in_print()?;
        self.to_fill = None;
        Ok(self.blocks)
    }

    /// Starts a command whose standard output is closed at the other end. Its first print fails with a broken pipe.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run_unread(name: &str, command: &mut Command) -> Result<Self> {
        let (_, writer) = std::io::pipe()?;
        Self::spawn(name, command, writer, None)
    }

    /// Starts a command in a new, empty folder, as the leader of a process group of its own.
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
        let _waiting = count_as(Waiting::Program);
        let folder = tempfile::tempdir()?;
        let (err_reader, err) = std::io::pipe()?;
        command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0);
        let child =
            confine::spawn(command).with_context(|| format!("{name} could not be started"))?;
        // The command still holds the writing ends of the pipes. The readers would wait until these are closed, too.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let group = Pid::from_raw(child.id().cast_signed());
        let (out, err) = (Stream::read(out_reader), Stream::read(Some(err_reader)));
        let transcript = Transcript::new(name, out.shared(), err.shared());
        transcript.note(Deed::Started);
        let mut program = Self {
            child,
            group,
            out,
            err,
            transcript,
            stalled: None,
            to_fill: None,
            blocks: true,
            _folder: folder,
        };
        if confine::is_confined(command) {
            program.wait_for_supervisor()?;
        }
        Ok(program)
    }

    /// Waits until the supervisor of a confined program has started it.
    ///
    /// # Errors
    /// When it cannot start it. That is not the program's fault. The message says why.
    fn wait_for_supervisor(&mut self) -> Result<()> {
        let started = wait::shortly(START_LIMIT, || {
            if confine::has_started(self.group) {
                return Ok(Some(()));
            }
            let status = self.try_wait()?;
            Ok(status.map(drop))
        })?;
        let name = self.transcript.name.clone();
        let Some(()) = started else {
            bail!(
                "{name} was not started within {} s. Is this machine overloaded?",
                START_LIMIT.as_secs()
            );
        };
        // A program that has ended already was started, unless its supervisor says otherwise.
        let status = self.try_wait()?;
        if status.is_some_and(confine::could_not_start) {
            wait::up_to(START_LIMIT, || Ok(self.err.is_complete().then_some(())))?;
            let said: Vec<String> = self.errors().into_iter().map(|line| line.text).collect();
            bail!("{name} could not be started: {}", said.join(" "));
        }
        Ok(())
    }

    /// The transcript of this run. It grows while the program runs.
    pub fn transcript(&self) -> Transcript {
        self.transcript.clone()
    }

    /// Its process id, which is also that of its process group.
    pub fn pid(&self) -> Pid {
        self.group
    }

    /// The lines on standard output so far.
    pub fn lines(&self) -> Vec<Line> {
        self.out.lines().clone()
    }

    /// The texts of the lines on standard output so far.
    pub fn texts(&self) -> Vec<String> {
        self.out
            .lines()
            .iter()
            .map(|line| line.text.clone())
            .collect()
    }

    /// The lines on standard error so far.
    pub fn errors(&self) -> Vec<Line> {
        self.err.lines().clone()
    }

    /// Waits until `look` finds something in the lines on standard output so far. `what` describes it in error
    /// messages, after "to print".
    ///
    /// # Errors
    /// When `look` has found nothing after `limit`, or the program has ended before. The message shows its last lines.
    pub fn wait_for<T>(
        &mut self,
        what: &str,
        limit: Duration,
        look: impl Fn(&[Line]) -> Option<T>,
    ) -> Result<T> {
        let waited_for = format!("{} to print {what}", self.transcript.name);
        let seen = wait::until(&waited_for, limit, || {
            // Checked before `look` reads the lines: if the program has ended by then, no more lines will come.
            let ended = self.all_read()?;
            if let Some(seen) = look(&self.out.lines()) {
                return Ok(Some(seen));
            }
            if ended {
                bail!("{} ended before it printed {what}", self.transcript.name);
            }
            Ok(None)
        });
        seen.with_context(|| self.last_lines())
    }

    /// Waits until what it has printed satisfies `look`. Returns `None`, and no error, if it ends before, if it prints
    /// nothing at all for `limit`, or if it is silent for `quiet` after that.
    ///
    /// # Errors
    /// On Ctrl-C.
    pub fn wait_while_it_prints<T>(
        &mut self,
        limit: Duration,
        quiet: Duration,
        mut look: impl FnMut(&[Line]) -> Option<T>,
    ) -> Result<Option<T>> {
        let mut seen = None;
        wait::while_it_changes(MOST_TIME, || {
            let ended = self.all_read()?;
            let lines = self.out.lines();
            seen = look(&lines);
            let patience = if seen.is_some() || ended {
                Duration::ZERO
            } else if lines.is_empty() {
                limit
            } else {
                quiet
            };
            Ok((lines.last().map(|line| line.at), patience))
        })?;
        Ok(seen)
    }

    /// Waits until it has ended by itself and all that it printed has been read.
    ///
    /// # Errors
    /// When it has not ended after `limit`. The message shows its last lines.
    pub fn wait_for_end(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.end_within(limit)?.with_context(|| {
            format!(
                "{} was still running after {} s. {}",
                self.transcript.name,
                limit.as_secs_f32(),
                self.last_lines()
            )
        })
    }

    /// Like [`Program::wait_for_end`], but a program that is still running after `limit` is not an error: `None`.
    ///
    /// # Errors
    /// On Ctrl-C, or when the system cannot say whether it has ended.
    pub fn end_within(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        wait::up_to(limit, || {
            let status = self.try_wait()?;
            let all_read = self.all_read()?;
            Ok(status.filter(|_| all_read))
        })
    }

    /// Waits until `holds` returns `true` because of something that the program does. Returns `false` if this has not
    /// happened when `limit` is over or the program has ended.
    ///
    /// # Errors
    /// When `holds` fails, on Ctrl-C, or when the system cannot say whether the program has ended.
    pub fn until(
        &mut self,
        limit: Duration,
        mut holds: impl FnMut() -> Result<bool>,
    ) -> Result<bool> {
        let seen = wait::up_to(limit, || {
            // In this order, because what the program did just before its end counts as well.
            let has_ended = !self.is_running()?;
            let holds = holds()?;
            Ok((holds || has_ended).then_some(holds))
        })?;
        Ok(seen.unwrap_or(false))
    }

    /// Waits until it is seen to have begun its work, or has ended. How long a process takes to start depends on the machine, and
    /// says nothing about the program. Returns whether it was seen; if not, the program has ended, or done nothing for a while.
    ///
    /// # Errors
    /// If `has_begun` fails, or on Ctrl-C.
    pub fn wait_until_begun(&mut self, has_begun: impl Fn() -> Result<bool>) -> Result<bool> {
        // Nearly every program begins this soon, and to add up CPU time takes some itself.
        if self.until(SOON, &has_begun)? {
            return Ok(true);
        }
        let mut begun = false;
        wait::while_it_changes(BEGIN_LIMIT, || {
            let runs = self.is_running()?;
            begun = has_begun()?;
            let used = cpu_time(self.group)?;
            let patience = match used {
                _ if begun || !runs => Duration::ZERO,
                Some(_) => IDLE,
                None => WORK_LIMIT,
            };
            Ok((used.map(|time| time.as_millis() / IDLE_WORK), patience))
        })?;
        Ok(begun)
    }

    /// Is it still running?
    ///
    /// # Errors
    /// When the system cannot say whether it has ended.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.try_wait()?.is_none())
    }

    fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if let Some(status) = status {
            self.transcript.note_end(status);
            self.let_go_of_output()?;
        }
        Ok(status)
    }

    /// Does what Ctrl-C does: sends SIGINT to its process group.
    ///
    /// # Errors
    /// When it has already ended.
    pub fn interrupt(&self) -> Result<()> {
        self.transcript.note(Deed::Interrupted);
        self.signal(Signal::SIGINT)
    }

    /// Pauses it (SIGSTOP) until it is resumed or killed.
    ///
    /// # Errors
    /// When it has already ended.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets a paused program continue (SIGCONT).
    ///
    /// # Errors
    /// When it has already ended.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// From now on, the program gives way to other processes (nice 5), so that we are not too late when we watch it. It does not
    /// give way altogether: on a busy machine, it would never have its turn. If the system refuses, nothing changes.
    pub fn give_way(&self) {
        const LESS: libc::c_int = 5;
        if let Ok(group) = libc::id_t::try_from(self.group.as_raw()) {
            // SAFETY: the call takes numbers only.
            unsafe { libc::setpriority(libc::PRIO_PGRP, group, LESS) };
        }
    }

    /// From now on, the program ends in the middle of a write that goes beyond this many bytes of a file. Returns `false`, and
    /// changes nothing, if that cannot be done with this program or on this system.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn limit_files(&self, bytes: u64) -> Result<bool> {
        limit_files(self.group, bytes)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        killpg(self.group, signal)
            .with_context(|| format!("{} has already ended", self.transcript.name))
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    ///
    /// # Errors
    /// When it has already ended.
    pub fn kill(&mut self) -> Result<()> {
        self.transcript.note(Deed::Killed);
        self.signal(Signal::SIGKILL)?;
        self.wait_for_end(Duration::from_secs(10)).map(drop)
    }

    /// Kills it like [`Program::kill`], but only if it is still running.
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

    /// Its last lines on both streams, for an error message.
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

    /// Is everything read that the program printed?
    fn all_read(&mut self) -> Result<bool> {
        if self.to_fill.is_some() {
            // As long as we hold its standard output, that does not end before the program does.
            self.try_wait()?;
        }
        Ok(self.out.is_complete() && self.err.is_complete())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if matches!(self.try_wait(), Ok(None)) {
            self.transcript.note(Deed::Killed);
        }
        let _ = killpg(self.group, Signal::SIGKILL);
        let _waiting = count_as(Waiting::Program);
        let _ = self.child.wait();
    }
}
