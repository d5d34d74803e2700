//! What a program prints: the lines of one stream, read as they come, and a pipe that takes no more.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Result;
use broker::wait;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use parking_lot::{Mutex, MutexGuard};

/// The longest line that is kept as one line, in bytes. A longer one is kept as several lines.
const LONGEST_LINE: u64 = 64 * 1024;

/// The memory that a line needs besides its text, in bytes.
const LINE_OVERHEAD: usize = 64;

/// The most that is kept of a stream, in bytes.
const MOST_KEPT: usize = 8 * 1024 * 1024;

/// The most that is read from a stream, in bytes. A program that prints more is ended by a broken pipe.
const MOST_READ: usize = 64 * 1024 * 1024;

/// How often a reader looks whether it must stop, in milliseconds.
const LOOK: u8 = 20;

/// How long a reader may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A line that a program printed, without the line end, and the time at which it was read.
#[derive(Clone, Debug)]
pub struct Line {
    pub at: Instant,
    pub text: String,
}

/// The lines of a stream so far. The thread that reads the stream adds to them.
pub(super) type Lines = Arc<Mutex<Vec<Line>>>;

/// A stream of a program, and the thread that reads it.
#[derive(Debug)]
pub(super) struct Stream {
    lines: Lines,
    reader: JoinHandle<()>,
    stop: Arc<AtomicBool>,
}

/// A pipe that seems to be at its end as soon as its reader must stop. What comes later stays in the pipe.
struct Stoppable {
    pipe: PipeReader,
    stop: Arc<AtomicBool>,
}

impl Read for Stoppable {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while !self.stop.load(Ordering::Relaxed) {
            let mut bytes = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
            if poll(&mut bytes, LOOK)? > 0 {
                return self.pipe.read(buffer);
            }
        }
        Ok(0)
    }
}

impl Stream {
    /// Reads a pipe in a thread of its own, to its end or until [`Stream::stop`] is called. Without a pipe, the stream stays
    /// empty.
    pub(super) fn read(from: Option<PipeReader>) -> Self {
        let (lines, stop) = (Lines::default(), Arc::new(AtomicBool::new(false)));
        let to = Arc::clone(&lines);
        let from = from.map(|pipe| Stoppable {
            pipe,
            stop: Arc::clone(&stop),
        });
        let reader = thread::spawn(move || {
            if let Some(from) = from {
                read_lines(from, &to);
            }
        });
        Self {
            lines,
            reader,
            stop,
        }
    }

    /// Ends the reading. When this returns, nothing more is taken from the pipe.
    pub(super) fn stop(&self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        wait::until("a reader to stop", STOP_LIMIT, || {
            Ok(self.is_complete().then_some(()))
        })
    }

    /// The lines so far.
    pub(super) fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock()
    }

    /// The same lines, for a reader that may outlive the program.
    pub(super) fn shared(&self) -> Lines {
        Arc::clone(&self.lines)
    }

    /// Is the stream read to its end? Then its lines are complete.
    pub(super) fn is_complete(&self) -> bool {
        self.reader.is_finished()
    }
}

/// Reads lines to the end of the pipe, but at most [`MOST_READ`] bytes. If the lines take more than [`MOST_KEPT`]
/// bytes, only the first and the last ones are kept.
fn read_lines(from: impl Read, to: &Mutex<Vec<Line>>) {
    let mut from = BufReader::new(from);
    let (mut read, mut kept) = (0, 0);
    // How many lines at the beginning are never dropped.
    let mut beginning = 0;
    while read < MOST_READ {
        let mut line = Vec::new();
        match from
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
        {
            Ok(0) | Err(_) => return,
            Ok(length) => {
                kept += length + LINE_OVERHEAD;
                read += length;
            }
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_string();
        let at = Instant::now();
        let mut lines = to.lock();
        lines.push(Line { at, text });
        if kept < MOST_KEPT / 2 {
            beginning = lines.len();
        } else if kept > MOST_KEPT {
            let middle = beginning..beginning + (lines.len() - beginning) / 2;
            kept -= lines
                .drain(middle)
                .map(|line| line.text.len() + 1 + LINE_OVERHEAD)
                .sum::<usize>();
        }
    }
}

/// Fills a pipe until it does not take another byte.
///
/// # Errors
/// When the system refuses.
pub(super) fn fill(writer: &mut PipeWriter) -> Result<()> {
    /// The program may write to the pipe at the same time. The system writes this many bytes (`PIPE_BUF`) as a whole:
    /// if there is room for them, this write does not block.
    const PAGE: [u8; 4096] = [b'\n'; 4096];
    loop {
        let mut room = [PollFd::new(writer.as_fd(), PollFlags::POLLOUT)];
        if poll(&mut room, PollTimeout::ZERO)? == 0 {
            return Ok(());
        }
        writer.write_all(&PAGE)?;
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufWriter;

    use super::*;

    #[test]
    fn keeps_the_beginning_and_the_end_of_a_flood() -> Result<()> {
        const COUNT: usize = 120_000;
        let (reader, writer) = std::io::pipe()?;
        let stream = Stream::read(Some(reader));
        let mut writer = BufWriter::new(writer);
        for number in 0..COUNT {
            writeln!(writer, "{number:0100}")?;
        }
        drop(writer);
        wait::until("the end of the stream", Duration::from_secs(60), || {
            Ok(stream.is_complete().then_some(()))
        })?;
        let lines = stream.lines();
        let number = |line: Option<&Line>| line.and_then(|line| line.text.parse().ok());
        assert_eq!(number(lines.first()), Some(0));
        assert_eq!(number(lines.last()), Some(COUNT - 1));
        assert!(lines.len() < MOST_KEPT / 100, "{} lines", lines.len());
        Ok(())
    }
}
