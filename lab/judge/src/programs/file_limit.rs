//! A limit on the size of a program's files, which ends the program in the middle of a write, at a byte that we choose. No
//! luck is needed for this, however busy the machine is.

#[cfg(target_os = "linux")]
mod system {
    use std::io;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use anyhow::{Context, Result};
    use nix::errno::Errno;
    use nix::libc;
    use nix::unistd::Pid;
    use procfs::process::Process;

    use crate::programs::process_group::processes_of;

    /// From now on, the kernel ends a process of this group with SIGXFSZ when it writes beyond this many bytes of a file
    /// (setrlimit(2), `RLIMIT_FSIZE`). Returns `false`, and changes nothing, if the signal would not end each of them: the
    /// runtimes of Java and Python do not let it. Also if they have ended, or the system lets nobody limit them.
    ///
    /// # Errors
    /// When the processes cannot be listed, or the system refuses.
    pub fn limit_files(group: Pid, bytes: u64) -> Result<bool> {
        let of_group = processes_of(group)?;
        let all_end = of_group.iter().all(ends_of_large_files);
        if of_group.is_empty() || !all_end {
            return Ok(false);
        }
        for process in of_group {
            let limited = match end_beyond(process.pid, bytes) {
                Err(Errno::EPERM) => as_its_user(&process, bytes),
                other => other.map_err(Into::into),
            };
            match limited {
                Ok(()) => {}
                Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::ESRCH)) => {
                    return Ok(false);
                }
                Err(error) => {
                    return Err(error).context("the limit of a program's files cannot be set");
                }
            }
        }
        Ok(true)
    }

    /// Makes a process end when it writes beyond this many bytes of a file, without a core file.
    fn end_beyond(process: i32, bytes: u64) -> nix::Result<()> {
        lower(process, libc::RLIMIT_CORE, 0)?;
        lower(process, libc::RLIMIT_FSIZE, bytes)
    }

    /// Does the same in a process of the same user: in most containers, root lacks CAP_SYS_RESOURCE, and may not limit the processes
    /// of others.
    fn as_its_user(process: &Process, bytes: u64) -> io::Result<()> {
        let (pid, status) = (process.pid, process.status().map_err(io::Error::other)?);
        let mut nothing = Command::new("true");
        nothing.uid(status.ruid).gid(status.rgid);
        // SAFETY: between fork and exec, only system calls are made.
        unsafe { nothing.pre_exec(move || Ok(end_beyond(pid, bytes)?)) };
        confine::spawn(&mut nothing)?.wait().map(drop)
    }

    /// Whether it neither ignores SIGXFSZ nor catches it.
    fn ends_of_large_files(process: &Process) -> bool {
        let signal = 1_u64 << (libc::SIGXFSZ - 1);
        let status = process.status();
        status.is_ok_and(|status| (status.sigign | status.sigcgt) & signal == 0)
    }

    /// Lowers what a process may use of a resource. The highest value to which it may raise the limit stays the same.
    fn lower(process: i32, resource: libc::__rlimit_resource_t, most: u64) -> nix::Result<()> {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: the pointers are null or lead to a value that lives longer than the calls.
        let answer = unsafe {
            let answer = libc::prlimit(process, resource, std::ptr::null(), &raw mut limit);
            limit.rlim_cur = most.min(limit.rlim_max);
            answer | libc::prlimit(process, resource, &raw const limit, std::ptr::null_mut())
        };
        Errno::result(answer).map(drop)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use anyhow::Result;
    use nix::unistd::Pid;

    /// `false`: other systems cannot set limits of a process that already runs.
    ///
    /// # Errors
    /// None.
    pub fn limit_files(_: Pid, _: u64) -> Result<bool> {
        Ok(false)
    }
}

pub use system::limit_files;
