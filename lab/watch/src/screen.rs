//! The group on a terminal, until someone has seen enough.

use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use broker::wait;
use cluster::LiveGroup;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};

use crate::looks::Look;
use crate::view::{View, draw};

/// How soon what was seen is shown, and a signal heeded.
const GLANCE: Duration = Duration::from_millis(100);

/// How often all is drawn again though nothing has happened: offsets and times grow.
const REDRAW: Duration = Duration::from_secs(1);

pub fn show(live: LiveGroup, looks: &Receiver<Look>) -> Result<ExitCode> {
    // From here on the terminal is ours. A panic gives it back by itself.
    let mut terminal = ratatui::try_init().context("the terminal cannot be used; --once can")?;
    let ended = run(&mut terminal, live, looks);
    // Where the terminal has gone, there is nothing to give back.
    let _ = ratatui::try_restore();
    ended.map(|()| ExitCode::SUCCESS)
}

fn run(terminal: &mut DefaultTerminal, mut live: LiveGroup, looks: &Receiver<Look>) -> Result<()> {
    let keys = keys();
    let mut view = View::default();
    let mut drawn: Option<Instant> = None;
    while !wait::interrupted() {
        let mut is_new = drawn.is_none_or(|at| at.elapsed() >= REDRAW);
        loop {
            match looks.try_recv() {
                Ok(look) => is_new |= !look.tell(&mut live).is_empty() || !live.is_settled(),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => bail!("nobody looks at the group any more"),
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
            Err(RecvTimeoutError::Disconnected) => bail!("no keys can be read from the terminal"),
        }
    }
    Ok(())
}

/// What is typed. It is read on a thread of its own, because crossterm never comes back from a terminal that was closed.
fn keys() -> Receiver<Event> {
    let (keys, typed) = channel();
    thread::spawn(move || while event::read().is_ok_and(|event| keys.send(event).is_ok()) {});
    typed
}

fn is_the_end(key: KeyEvent) -> bool {
    let ctrl_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    ctrl_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
}
