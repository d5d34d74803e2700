//! The processes of a program: all those of its process group.

#[cfg(target_os = "linux")]
mod system {
    use std::time::Duration;

    use anyhow::{Context, Result};
    use nix::unistd::Pid;
    use procfs::process::{Process, all_processes};

    /// The processes of this group that have not ended.
    ///
    /// # Errors
    /// When the processes cannot be listed.
    pub fn processes_of(group: Pid) -> Result<Vec<Process>> {
        let all = all_processes().context("processes cannot be listed")?;
        let is_of_group = |process: &Process| {
            let stat = process.stat();
            stat.is_ok_and(|stat| stat.pgrp == group.as_raw() && !matches!(stat.state, 'Z' | 'X'))
        };
        Ok(all.filter_map(Result::ok).filter(is_of_group).collect())
    }

    /// How much CPU time these processes have used so far, with the children that have ended. It has a resolution of 10 ms.
    ///
    /// # Errors
    /// When the processes cannot be listed.
    pub fn cpu_time(group: Pid) -> Result<Option<Duration>> {
        let processes = processes_of(group)?;
        let stats = processes.iter().filter_map(|process| process.stat().ok());
        let ticks = stats.map(|stat| {
            let of_children = stat.cutime + stat.cstime;
            stat.utime + stat.stime + u64::try_from(of_children).unwrap_or(0)
        });
        let ticks = u32::try_from(ticks.sum::<u64>())?;
        let a_second = u32::try_from(procfs::ticks_per_second())?;
        Ok(Some(Duration::from_secs(1) * ticks / a_second))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::time::Duration;

    use anyhow::Result;
    use nix::unistd::Pid;

    /// `None`: other systems tell it in ways of their own.
    ///
    /// # Errors
    /// None.
    pub fn cpu_time(_: Pid) -> Result<Option<Duration>> {
        Ok(None)
    }
}

pub use system::cpu_time;
#[cfg(target_os = "linux")]
pub use system::processes_of;
