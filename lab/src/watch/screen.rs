//! The group on a terminal, until someone has seen enough.

use std::process::ExitCode;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use broker::wait;
use checks::LiveGroup;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};

use super::looks::Look;
use super::view::{View, draw};

/// How soon what was seen is shown, and a signal heeded.
const GLANCE: Duration = Duration::from_millis(100);

/// How often all is drawn again, though nothing was seen: times grow.
const REDRAW: Duration = Duration::from_secs(1);

pub fn show(live: LiveGroup, looks: &Receiver<Look>) -> Result<ExitCode> {
    // From here on the terminal is ours. A panic gives it back by itself.
    let mut terminal = ratatui::try_init().context("the terminal cannot be used; --once can")?;
    let ended = run(&mut terminal, live, looks);
    ratatui::restore();
    ended.map(|()| ExitCode::SUCCESS)
}

fn run(terminal: &mut DefaultTerminal, mut live: LiveGroup, looks: &Receiver<Look>) -> Result<()> {
    let mut view = View::default();
    let mut drawn: Option<Instant> = None;
    while !wait::interrupted() {
        let mut is_new = drawn.is_none_or(|at| at.elapsed() >= REDRAW);
        loop {
            match looks.try_recv() {
                Ok(look) => {
                    look.tell(&mut live);
                    is_new = true;
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => bail!("nobody looks at the group any more"),
            }
        }
        if is_new {
            let now = Instant::now();
            terminal.draw(|frame| draw(frame, &mut view, &live, now))?;
            drawn = Some(now);
        }
        if event::poll(GLANCE)? {
            match event::read()? {
                Event::Key(key) if key.is_press() => {
                    if is_the_end(key) {
                        return Ok(());
                    }
                    view.scroll(key.code);
                    drawn = None;
                }
                Event::Resize(..) => drawn = None,
                _ => {}
            }
        }
    }
    Ok(())
}

fn is_the_end(key: KeyEvent) -> bool {
    let ctrl_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    ctrl_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
}
