//! A limit on the size of a program's files, which ends the program in the middle of a write, at a byte that we choose. No
//! luck is needed for this, however busy the machine is.

#[cfg(target_os = "linux")]
mod system {
    use anyhow::{Context, Result};
    use nix::errno::Errno;
    use nix::libc;
    use nix::unistd::Pid;
    use procfs::process::Process;

    use crate::programs::process_group::processes_of;

    /// From now on, the kernel ends a process of this group with SIGXFSZ when it writes beyond this many bytes of a file
    /// (setrlimit(2), `RLIMIT_FSIZE`). Returns `false`, and changes nothing, if the signal would not end each of them: the
    /// runtimes of Java and Python do not let it. Also if we may not limit them: a confined program belongs to another user, and
    /// in a container root often lacks `CAP_SYS_RESOURCE`.
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
            let lowered = lower(process.pid, libc::RLIMIT_CORE, 0)
                .and_then(|()| lower(process.pid, libc::RLIMIT_FSIZE, bytes));
            match lowered {
                Err(Errno::EPERM) => return Ok(false),
                other => other.context("the limit of a program's files cannot be set")?,
            }
        }
        Ok(true)
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
