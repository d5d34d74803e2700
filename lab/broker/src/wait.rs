//! Waits until something is seen. Every wait has a time limit, and ends on Ctrl-C and when the command's deadline is over. Unless
//! the caller counts its time as something else, it is counted as time that a program takes.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::spent::{Waiting, count_as};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// When the command has to stop, and how long that was from its start.
static DEADLINE: OnceLock<(Instant, Duration)> = OnceLock::new();

/// The shortest and the longest pause between two looks. The longer a wait has lasted, the longer its pauses are, because each
/// look makes work for the broker or the program.
const PAUSE: Duration = Duration::from_millis(15);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// The shortest pause of [`shortly`].
const SHORT_PAUSE: Duration = Duration::from_micros(500);

/// Takes note that Ctrl-C was pressed. Every wait in progress, and every later one, ends with [`Interrupted`].
pub fn interrupt() {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Whether Ctrl-C was pressed.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Sets the deadline of this command: from then on, every wait ends at once, with [`DeadlineOver`]. It can be set once.
pub fn set_deadline(limit: Duration) {
    let _ = DEADLINE.set((Instant::now() + limit, limit));
}

/// The error of a wait that the deadline ended, if it is over.
pub fn deadline_over() -> Option<DeadlineOver> {
    let (end, limit) = DEADLINE.get()?;
    (Instant::now() >= *end).then_some(DeadlineOver(*limit))
}

/// The error of a wait that the deadline of the command ended.
#[derive(Debug)]
pub struct DeadlineOver(Duration);

impl std::error::Error for DeadlineOver {}

impl std::fmt::Display for DeadlineOver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the deadline of {} s was over", self.0.as_secs())
    }
}

/// The error of a wait that Ctrl-C ended.
#[derive(Debug)]
pub struct Interrupted;

impl std::error::Error for Interrupted {}

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped by Ctrl-C")
    }
}

/// Fails if Ctrl-C was pressed.
///
/// # Errors
/// [`Interrupted`] if Ctrl-C was pressed.
pub fn check_interrupt() -> Result<()> {
    if interrupted() {
        bail!(Interrupted);
    }
    Ok(())
}

/// Fails if Ctrl-C was pressed, or if the deadline is over.
///
/// # Errors
/// [`Interrupted`] or [`DeadlineOver`].
pub fn check_stop() -> Result<()> {
    check_interrupt()?;
    match deadline_over() {
        Some(over) => bail!(over),
        None => Ok(()),
    }
}

/// Calls `look` again and again until it sees something, and returns that.
///
/// # Errors
/// If `look` fails, on Ctrl-C, or if `look` has seen nothing after `limit`. In the last case, the message is `waited 30 s for {what}`.
pub fn until<T>(what: &str, limit: Duration, look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    up_to(limit, look)?.with_context(|| format!("waited {} s for {what}", limit.as_secs_f32()))
}

/// Calls `look` again and again until it sees something, and returns that. Returns `None` if it has seen nothing after `limit`.
///
/// # Errors
/// If `look` fails, or on Ctrl-C. The message does not say what we waited for.
pub fn up_to<T>(limit: Duration, look: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    look_often(limit, PAUSE, look)
}

/// Waits like [`up_to`], for something that takes some milliseconds.
///
/// # Errors
/// If `look` fails, or on Ctrl-C.
pub fn shortly<T>(limit: Duration, look: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    look_often(limit, SHORT_PAUSE, look)
}

fn look_often<T>(
    limit: Duration,
    shortest: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let _counting = count_as(Waiting::Program);
    let start = Instant::now();
    loop {
        if let Some(seen) = look()? {
            return Ok(Some(seen));
        }
        check_stop()?;
        let elapsed = start.elapsed();
        if elapsed >= limit {
            return Ok(None);
        }
        let pause = (elapsed / 10).clamp(shortest, LONGEST_PAUSE);
        sleep(pause.min(limit - elapsed));
    }
}

/// Waits for all of `period`, to see that something does *not* happen, or to give a person time to read.
///
/// # Errors
/// On Ctrl-C.
pub fn pass(period: Duration) -> Result<()> {
    let _counting = count_as(Waiting::Check);
    let end = Instant::now() + period;
    while Instant::now() < end {
        check_stop()?;
        sleep(PAUSE);
    }
    Ok(())
}

/// Waits like [`pass`], but only until `look` sees that it happens after all. Returns what it saw.
///
/// # Errors
/// If `look` fails, or on Ctrl-C.
pub fn pass_unless<T>(
    period: Duration,
    look: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let _counting = count_as(Waiting::Check);
    up_to(period, look)
}

/// Calls `look` again and again, for as long as what it sees keeps changing.
///
/// `look` returns what it sees, and how long this may stay the same. If it stays the same for longer, the wait ends. Zero ends
/// the wait at once. In any case, the wait ends after `most`.
///
/// # Errors
/// If `look` fails, or on Ctrl-C.
pub fn while_it_changes<T: PartialEq>(
    most: Duration,
    mut look: impl FnMut() -> Result<(T, Duration)>,
) -> Result<()> {
    let _counting = count_as(Waiting::Program);
    let start = Instant::now();
    let mut changed = start;
    let mut last = None;
    loop {
        let (now, patience) = look()?;
        if last.as_ref().is_some_and(|last| *last != now) {
            changed = Instant::now();
        }
        last = Some(now);
        if changed.elapsed() >= patience || start.elapsed() >= most {
            return Ok(());
        }
        check_stop()?;
        sleep((start.elapsed() / 10).clamp(PAUSE, LONGEST_PAUSE));
    }
}

/// Waits like [`up_to`], but without pauses between two looks. This is for something that is over sooner than a pause.
///
/// # Errors
/// If `look` fails, or on Ctrl-C.
pub fn closely<T>(
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let _counting = count_as(Waiting::Program);
    let end = Instant::now() + limit;
    loop {
        if let Some(seen) = look()? {
            return Ok(Some(seen));
        }
        check_stop()?;
        if Instant::now() >= end {
            return Ok(None);
        }
        std::thread::yield_now();
    }
}
