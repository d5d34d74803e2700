//! The process between us and a confined program.

use std::ffi::OsString;
use std::fs;
use std::io::{Error, Write, stderr};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, exit};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, kill, raise, signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getpgid, getppid, setpgid};

use crate::limits::{self, Use};
use crate::{Confinement, identity, landlock, sockets};

/// How often limits are looked at.
const GLANCE: Duration = Duration::from_millis(250);

/// As shells have it: the program could not be started.
const NOT_STARTED: i32 = 127;

/// Runs the program that these words describe, and ends as it does.
pub fn supervise(mut words: impl Iterator<Item = OsString>) -> ! {
    let ended = (|| {
        let confinement = words.next().context("no confinement")?;
        let mut confinement: Confinement = serde_json::from_str(&confinement.to_string_lossy())?;
        confinement.ports.extend(ports_of_brokers());
        let program = words.next().context("no program")?;
        run(&confinement, Command::new(program).args(words))
    })();
    match ended {
        Ok(WaitStatus::Exited(_, code)) => exit(code),
        Ok(WaitStatus::Signaled(_, deadly, _)) => end_by(deadly),
        Ok(_) => exit(NOT_STARTED),
        Err(error) => {
            eprintln!("it could not be confined: {error:#}");
            exit(NOT_STARTED)
        }
    }
}

/// Ends as the program did, for whoever looks at our status.
fn end_by(deadly: Signal) -> ! {
    // SAFETY: the default disposition runs no code of ours.
    let _ = unsafe { signal(deadly, SigHandler::SigDfl) };
    let _ = raise(deadly);
    exit(128 + deadly as i32)
}

fn ports_of_brokers() -> Vec<u16> {
    let servers = std::env::var("BOOTSTRAP_SERVERS").unwrap_or_default();
    let servers = servers.split(',');
    servers
        .filter_map(|server| server.rsplit_once(':')?.1.parse().ok())
        .collect()
}

fn run(confinement: &Confinement, program: &mut Command) -> Result<WaitStatus> {
    let asker = getppid();
    become_subreaper()?;
    let folder = std::env::current_dir()?;
    let user = identity::nobody().filter(|_| confinement.as_nobody);
    program.env("HOME", &folder).env("TMPDIR", &folder);
    // A JVM goes by no variable but its own, and takes a quarter of the machine's memory if nobody says otherwise.
    let of_jvm = format!("-Djava.io.tmpdir={} -Xmx512m", folder.display());
    program.env("JAVA_TOOL_OPTIONS", of_jvm);
    let mut own = vec![folder];
    own.extend_from_slice(&confinement.kept);
    if let Some(user) = user {
        for folder in &own {
            identity::give(folder, user)?;
        }
    }
    let is_shut_in = landlock::is_available();
    let mut rules = Some(landlock::rules(confinement, &own)?);
    let filter = sockets::filter()?;
    let tasks = match user {
        Some(_) => Some(limits::TASKS),
        None => tasks_of_user().map(|now| now + limits::TASKS),
    };
    let shut_in = move || -> Result<()> {
        for of_terminal in [Signal::SIGINT, Signal::SIGTERM] {
            // SAFETY: as above.
            unsafe { signal(of_terminal, SigHandler::SigDfl)? };
        }
        limits::bound(tasks)?;
        close_on_exec();
        if let Some(user) = user {
            identity::become_nobody(user, is_shut_in)?;
        }
        if let Some(rules) = rules.take() {
            landlock::restrict(rules)?;
        }
        if let Some(filter) = &filter {
            sockets::restrict(filter)?;
        }
        Ok(())
    };
    for of_terminal in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: as above.
        unsafe { signal(of_terminal, SigHandler::SigIgn)? };
    }
    let mut shut_in = shut_in;
    // SAFETY: this process has one thread until then, so that what is called between fork and exec finds no lock held.
    unsafe {
        program.pre_exec(move || shut_in().map_err(|error| Error::other(format!("{error:#}"))));
    }
    let name = program.get_program().to_string_lossy().into_owned();
    let child = program
        .spawn()
        .with_context(|| format!("{name} could not be started"))?;
    let child = Pid::from_raw(child.id().cast_signed());
    // The program stays alone in the process group by which it is known; signals to that group are for it only.
    let _ = setpgid(Pid::from_raw(0), getpgid(Some(asker))?);

    thread::spawn(move || watch(asker, &own));
    let ended = loop {
        match waitpid(None, None) {
            Ok(status) if status.pid() == Some(child) => break status,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context("the program has gone"),
        }
    };
    end_all();
    Ok(ended)
}

/// Ends all, where a limit is passed or whoever asked has gone.
fn watch(asker: Pid, own: &[PathBuf]) {
    let start = Instant::now();
    loop {
        thread::sleep(GLANCE);
        if getppid() != asker {
            end_all();
            // Nobody else is left to do it.
            for folder in own {
                let _ = fs::remove_dir_all(folder);
            }
            exit(NOT_STARTED);
        }
        if let Some(limit) = limits::passed(used(), own, start) {
            end_all();
            // Nobody may be reading any more.
            let _ = writeln!(stderr(), "stopped by the grader: {limit}");
        }
    }
}

/// Kills all that descends from us, until nothing is left.
fn end_all() {
    loop {
        let left = descendants();
        if left.is_empty() {
            return;
        }
        // First nobody starts anything any more.
        for deadly in [Signal::SIGSTOP, Signal::SIGKILL] {
            for process in &left {
                let _ = kill(*process, deadly);
            }
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(target_os = "linux")]
mod system {
    use super::{Pid, Result, Use};
    use anyhow::Context;
    use nix::unistd::geteuid;
    use procfs::process::{Process, all_processes};

    /// What it leaves behind becomes ours, whatever session it has begun.
    pub fn become_subreaper() -> Result<()> {
        nix::sys::prctl::set_child_subreaper(true).context("no subreaper")
    }

    /// What was left open to us is not for the program: pipes of our own would be shared with it.
    pub fn close_on_exec() {
        use nix::libc::{CLOSE_RANGE_CLOEXEC, SYS_close_range, c_uint, syscall};
        // SAFETY: it closes nothing now, and takes no pointers. An older kernel does not know it, and refuses.
        unsafe {
            syscall(
                SYS_close_range,
                3 as c_uint,
                c_uint::MAX,
                CLOSE_RANGE_CLOEXEC,
            )
        };
    }

    /// Those that live: the dead are reaped by whoever waits. The kernel keeps the children of each thread in a list, so
    /// that nobody has to look at all processes there are.
    fn descending() -> Vec<Process> {
        let mut found = Vec::new();
        let mut family: Vec<Process> = Process::myself().into_iter().collect();
        while let Some(parent) = family.pop() {
            let tasks = parent.tasks().into_iter().flatten().flatten();
            for child in tasks.filter_map(|task| task.children().ok()).flatten() {
                let child = i32::try_from(child)
                    .ok()
                    .and_then(|pid| Process::new(pid).ok());
                let Some(child) = child else { continue };
                family.extend(Process::new(child.pid));
                found.push(child);
            }
        }
        let lives = |process: &Process| {
            let stat = process.stat();
            stat.is_ok_and(|stat| !matches!(stat.state, 'Z' | 'X'))
        };
        found.retain(lives);
        found
    }

    pub fn descendants() -> Vec<Pid> {
        let found = descending();
        found
            .iter()
            .map(|process| Pid::from_raw(process.pid))
            .collect()
    }

    pub fn used() -> Use {
        let found = descending();
        let pages = found
            .iter()
            .filter_map(|process| Some(process.statm().ok()?.resident));
        Use {
            processes: found.len(),
            resident: pages.map(|pages| pages * procfs::page_size()).sum(),
        }
    }

    /// How many tasks the user has by now.
    pub fn tasks_of_user() -> Option<u64> {
        let user = geteuid().as_raw();
        let processes = all_processes().ok()?;
        let mine = processes.filter_map(|process| {
            let process = process.ok()?;
            let is_mine = process.uid().ok()? == user;
            u64::try_from(process.stat().ok()?.num_threads)
                .ok()
                .filter(|_| is_mine)
        });
        Some(mine.sum())
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Pid, Result, Use};

    /// Elsewhere what a program leaves behind is nobody's.
    pub fn become_subreaper() -> Result<()> {
        Ok(())
    }

    pub fn close_on_exec() {}

    pub fn descendants() -> Vec<Pid> {
        Vec::new()
    }

    pub fn used() -> Use {
        Use::default()
    }

    pub fn tasks_of_user() -> Option<u64> {
        None
    }
}

use system::{become_subreaper, close_on_exec, descendants, tasks_of_user, used};
