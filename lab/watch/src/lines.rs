//! Prints the group to a pipe or a file: first a table, and then what changes.

use std::io::stdout;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use broker::wait;
use cluster::{GroupTable, LiveGroup};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::observations::Observation;
use crate::{OBSERVER_HAS_ENDED, time_of_day};

/// The shortest time between two tables.
const TABLE_PAUSE: Duration = Duration::from_secs(1);

/// How often the loop checks for Ctrl-C.
const GLANCE: Duration = Duration::from_millis(100);

/// Prints until Ctrl-C, or until nobody reads the output any more.
///
/// # Errors
/// When the thread that observes the group has ended.
pub fn print(mut live: LiveGroup, observations: &Receiver<Observation>) -> Result<ExitCode> {
    let mut printed: Option<(Instant, GroupTable)> = None;
    loop {
        match observations.recv_timeout(GLANCE) {
            Ok(observation) => {
                for event in observation.add_to(&mut live) {
                    println!("{}  {}", time_of_day(event.at), event.what);
                    for detail in event.details {
                        println!("          {detail}");
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!(OBSERVER_HAS_ENDED),
        }
        if wait::interrupted() || has_no_reader()? {
            return Ok(ExitCode::SUCCESS);
        }
        let (Some(table), Some(grid)) = (live.table(), live.grid()) else {
            continue;
        };
        let is_new =
            |(at, last): &(Instant, GroupTable)| at.elapsed() >= TABLE_PAUSE && *last != table;
        if printed.as_ref().is_none_or(is_new) {
            let now = Instant::now();
            println!("{}  {}", time_of_day(now), live.headline(now));
            println!("{grid}");
            printed = Some((now, table));
        }
    }
}

/// Is the output a pipe that nobody reads any more? Printing would fail, but in an idle group nothing is printed.
fn has_no_reader() -> Result<bool> {
    let out = stdout();
    let mut pipe = [PollFd::new(out.as_fd(), PollFlags::empty())];
    poll(&mut pipe, PollTimeout::ZERO)?;
    // `poll` reports errors even if no flags were asked for.
    let seen = pipe[0].revents();
    Ok(seen.is_some_and(|seen| seen.contains(PollFlags::POLLERR)))
}
