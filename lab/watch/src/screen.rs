//! Shows the group on the whole terminal, until the user ends it.

use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use broker::wait;
use cluster::LiveGroup;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};

use crate::OBSERVER_HAS_ENDED;
use crate::observations::Observation;
use crate::view::{View, draw};

/// How often the loop checks for observations, keys and signals.
const GLANCE: Duration = Duration::from_millis(100);

/// How often the screen is drawn again if nothing has happened, because offsets and times grow.
const REDRAW: Duration = Duration::from_secs(1);

/// Shows the group until the user presses q, Esc or Ctrl-C.
///
/// # Errors
/// When the terminal cannot be used any more, or the thread that observes the group has ended.
pub fn show(live: LiveGroup, observations: &Receiver<Observation>) -> Result<ExitCode> {
    // From here on, the terminal is in raw mode. A panic restores it by itself.
    let mut terminal = ratatui::try_init()
        .context("the group cannot be shown live on this terminal; `--once` prints it once")?;
    let ended = run(&mut terminal, live, observations);
    // This fails if the terminal was closed. Then there is nothing to restore.
    let _ = ratatui::try_restore();
    ended.map(|()| ExitCode::SUCCESS)
}

fn run(
    terminal: &mut DefaultTerminal,
    mut live: LiveGroup,
    observations: &Receiver<Observation>,
) -> Result<()> {
    let keys = keys();
    let mut view = View::default();
    let mut drawn: Option<Instant> = None;
    while !wait::interrupted() {
        let mut is_new = drawn.is_none_or(|at| at.elapsed() >= REDRAW);
        loop {
            match observations.try_recv() {
                Ok(observation) => {
                    is_new |= !observation.add_to(&mut live).is_empty() || !live.is_settled();
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => bail!(OBSERVER_HAS_ENDED),
            }
        }
        if is_new {
            let now = Instant::now();
            terminal.draw(|frame| draw(frame, &mut view, &live, now))?;
            drawn = Some(now);
        }
        match keys.recv_timeout(GLANCE) {
            Ok(Event::Key(key)) if key.is_press() => {
                if is_the_end(key) {
                    return Ok(());
                }
                view.scroll(key.code);
                drawn = None;
            }
            Ok(Event::Resize(..)) => drawn = None,
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                bail!("no keys can be read from the terminal any more")
            }
        }
    }
    Ok(())
}

/// What the user types. It is read on a thread of its own, because crossterm blocks forever if the terminal was closed.
fn keys() -> Receiver<Event> {
    let (keys, typed) = channel();
    thread::spawn(move || while event::read().is_ok_and(|event| keys.send(event).is_ok()) {});
    typed
}

fn is_the_end(key: KeyEvent) -> bool {
    let ctrl_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    ctrl_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
}
