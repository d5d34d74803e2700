//! The group for a pipe or a file: a table, and then what changes.

use std::io::stdout;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use broker::wait;
use cluster::{GroupTable, LiveGroup};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::looks::Look;
use crate::time_of_day;

/// How often a table is printed at most.
const TABLES: Duration = Duration::from_secs(1);

/// How often Ctrl-C is looked for.
const GLANCE: Duration = Duration::from_millis(100);

pub fn print(mut live: LiveGroup, looks: &Receiver<Look>) -> Result<ExitCode> {
    let mut printed: Option<(Instant, GroupTable)> = None;
    loop {
        match looks.recv_timeout(GLANCE) {
            Ok(look) => {
                for event in look.tell(&mut live) {
                    println!("{}  {}", time_of_day(event.at), event.what);
                    for detail in event.details {
                        println!("          {detail}");
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("nobody looks at the group any more"),
        }
        if wait::interrupted() || has_no_reader()? {
            return Ok(ExitCode::SUCCESS);
        }
        let (Some(table), Some(grid)) = (live.table(), live.grid()) else {
            continue;
        };
        let is_new = |(at, last): &(Instant, GroupTable)| at.elapsed() >= TABLES && *last != table;
        if printed.as_ref().is_none_or(is_new) {
            let now = Instant::now();
            println!("{}  {}", time_of_day(now), live.headline(now));
            println!("{grid}");
            printed = Some((now, table));
        }
    }
}

/// Has whoever read our output gone? Without that, a group in which nothing happens would be watched on for nobody.
fn has_no_reader() -> Result<bool> {
    let out = stdout();
    let mut pipe = [PollFd::new(out.as_fd(), PollFlags::empty())];
    poll(&mut pipe, PollTimeout::ZERO)?;
    // An error is told whether or not it was asked for.
    let seen = pipe[0].revents();
    Ok(seen.is_some_and(|seen| seen.contains(PollFlags::POLLERR)))
}
