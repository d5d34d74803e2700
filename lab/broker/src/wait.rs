//! Waiting for something to be seen: with a deadline that says what it waited for, and an end on Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How soon to look again: the longer it has taken, the less soon, for each look costs whoever is looked at.
const PAUSE: Duration = Duration::from_millis(15);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Someone pressed Ctrl-C: every wait under way, and every later one, ends with [`Interrupted`].
pub fn interrupt() {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Did someone press Ctrl-C?
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
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

/// # Errors
/// [`Interrupted`] if someone pressed Ctrl-C.
pub fn check_interrupt() -> Result<()> {
    if interrupted() {
        bail!(Interrupted);
    }
    Ok(())
}

/// Looks again and again until `look` sees something, and returns that.
///
/// # Errors
/// When `look` fails, on Ctrl-C, or when it has seen nothing for `limit`: `waited 30 s for {what}`.
pub fn until<T>(what: &str, limit: Duration, look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    up_to(limit, look)?.with_context(|| format!("waited {} s for {what}", limit.as_secs_f32()))
}

/// As [`until`], where it may as well not come: `None` when nothing has been seen for `limit`.
///
/// # Errors
/// When `look` fails, or on Ctrl-C. Neither says anything of what was waited for.
pub fn up_to<T>(limit: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    let start = Instant::now();
    loop {
        if let Some(seen) = look()? {
            return Ok(Some(seen));
        }
        check_interrupt()?;
        let elapsed = start.elapsed();
        if elapsed >= limit {
            return Ok(None);
        }
        let pause = (elapsed / 10).clamp(PAUSE, LONGEST_PAUSE);
        sleep(pause.min(limit - elapsed));
    }
}

/// Looks on for all of `period`: for what must *not* happen, or for what a person should have time to read.
///
/// # Errors
/// On Ctrl-C.
pub fn pass(period: Duration) -> Result<()> {
    let end = Instant::now() + period;
    while Instant::now() < end {
        check_interrupt()?;
        sleep(PAUSE);
    }
    Ok(())
}
