//! The supervisor: the process between us and a confined program.

use std::ffi::OsString;
use std::fs;
use std::io::{Error, Write, stderr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, kill, raise, signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, Uid, getpgid, getppid, setpgid};

use crate::limits::{self, Use};
use crate::obstacles::obstacle;
use crate::spawn::spawn;
use crate::{Confinement, NOT_STARTED, READABLE, identity, landlock, sockets};

/// How often the supervisor checks the limits.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// The exit status if nobody is left to whom it could say anything.
const ABANDONED: i32 = 127;

/// The signals that ask a process to end. Ctrl-C sends the first one.
const STOP_SIGNALS: [Signal; 2] = [Signal::SIGINT, Signal::SIGTERM];

/// Runs the program that these arguments describe, and then ends with the program's exit status or signal.
pub fn supervise(mut words: impl Iterator<Item = OsString>) -> ! {
    let ended = (|| {
        let confinement = words.next().context("the confinement is missing")?;
        let mut confinement: Confinement = serde_json::from_str(&confinement.to_string_lossy())?;
        confinement.ports.extend(ports_of_brokers());
        let program = words.next().context("the program is missing")?;
        run(&confinement, Command::new(program).args(words))
    })();
    match ended {
        Ok(WaitStatus::Exited(_, code)) => exit(code),
        Ok(WaitStatus::Signaled(_, NOT_STARTED, _)) => exit(128 + NOT_STARTED as i32),
        Ok(WaitStatus::Signaled(_, deadly, _)) => end_by(deadly),
        Ok(_) => exit(ABANDONED),
        Err(error) => {
            // `eprintln!` would panic if nobody reads standard error any more.
            let _ = writeln!(stderr(), "{error:#}");
            end_by(NOT_STARTED)
        }
    }
}

/// Ends this process by the signal that ended the program, so that our status shows it.
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

/// Runs the program confined, until it ends. Then ends everything that it started.
///
/// The confinement holds only because its steps come in this order:
///
/// 1. `getppid`. If our parent is a different process later, the one that asked for the program has ended. So we look
///    before anything else.
/// 2. [`become_subreaper`]. From here on, no process that the program starts can escape from us.
/// 3. [`identity::give`]. The program's folders get its user as owner. Only root can do this, and we are still root.
/// 4. [`obstacle`]. What would keep the program from starting is said in words, and nothing is started.
/// 5. [`Walls::prepare`]. It opens files, takes memory, and starts and joins a thread. Between fork and exec, none of this
///    would be safe, and some of it would no longer be allowed.
/// 6. [`ignore_stop_signals`]. From here on, Ctrl-C cannot end us while a program is running that we must clean up after.
/// 7. [`start`]. It forks, and the new process goes through [`Walls::enter`] before it becomes the program. At the fork,
///    this process has one thread, so the new process finds no lock held by another thread.
/// 8. [`leave_group_to_program`]. The program inherits our process group at the fork. So we leave the group after that, and
///    only the program stays in it.
/// 9. [`watch`], in a thread of its own. Step 7 needs a process with only one thread, so this thread starts after it.
/// 10. [`wait_for`], and then [`end_all`]. Whatever the program left running has become our child, so we can still end it.
fn run(confinement: &Confinement, program: &mut Command) -> Result<WaitStatus> {
    let parent = getppid();
    become_subreaper()?;
    let folder = std::env::current_dir()?;
    let user = identity::nobody().filter(|_| confinement.as_nobody);
    set_folder_variables(program, &folder);
    let mut own = vec![folder];
    own.extend_from_slice(&confinement.kept);
    if let Some(user) = user {
        for folder in &own {
            identity::give(folder, user)?;
        }
    }
    let closes_files = landlock::is_available();
    let is_open = |file: &Path| !closes_files || landlock::opens(confinement, &own, file);
    if let Some(obstacle) = obstacle(program, is_open, user.is_some() && !closes_files) {
        bail!(obstacle);
    }
    let walls = Walls::prepare(confinement, &own, user)?;
    ignore_stop_signals()?;
    let child = start(program, walls)?;
    leave_group_to_program(parent)?;
    let exceeded = Arc::new(OnceLock::new());
    let watched = Arc::clone(&exceeded);
    thread::spawn(move || watch(parent, &own, &watched));
    let ended = wait_for(child)?;
    end_all();
    if let Some(limit) = exceeded.get() {
        // `eprintln!` would panic if nobody reads standard error any more.
        let _ = writeln!(stderr(), "stopped by the grader: {limit}");
    }
    Ok(ended)
}

/// Sets the variables that name a folder for the program's files.
fn set_folder_variables(program: &mut Command, folder: &Path) {
    program.env("HOME", folder).env("TMPDIR", folder);
    // A JVM reads only its own variable. By default, it also takes a quarter of the machine's memory.
    let of_jvm = format!("{} -Xmx512m", folder_option(folder));
    program.env("JAVA_TOOL_OPTIONS", of_jvm);
}

/// The JVM's option for its temporary files, quoted as the JVM expects in a variable. There, spaces separate options, and nothing
/// inside double quotes is special, except a double quote.
fn folder_option(folder: &Path) -> String {
    let folder = folder.display().to_string().replace('"', r#""'"'""#);
    format!(r#"-Djava.io.tmpdir="{folder}""#)
}

/// Everything that confines the program from the inside. The supervisor prepares it, and the program's process enters it.
struct Walls {
    /// The supervisor's process, which prepares the walls.
    supervisor: Pid,
    /// How many tasks the program's user may have; `None` if they cannot be counted.
    tasks: Option<u64>,
    /// The user to become; `None` if the program runs as our own user.
    user: Option<Uid>,
    /// Whether Landlock closes all other files to the program.
    closes_files: bool,
    /// `None` once they are in force.
    rules: Option<landlock::Rules>,
    /// `None` if the kernel cannot filter system calls.
    filter: Option<sockets::Filter>,
}

impl Walls {
    /// Prepares the walls for a program that may use these folders of its own and that runs as `user`.
    fn prepare(confinement: &Confinement, own: &[PathBuf], user: Option<Uid>) -> Result<Self> {
        Ok(Self {
            supervisor: Pid::this(),
            user,
            closes_files: landlock::is_available(),
            rules: Some(landlock::rules(confinement, own)?),
            filter: sockets::filter()?,
            // If the program shares our user, the tasks that this user has already must not use up the program's.
            tasks: match user {
                Some(_) => Some(limits::TASKS),
                None => tasks_of_user().map(|now| now + limits::TASKS),
            },
        })
    }

    /// Confines this process, which is about to become the program.
    ///
    /// These steps come in this order, because a step may need what a later one takes away:
    ///
    /// 1. The stop signals work again. A program would inherit that we ignore them.
    /// 2. The limits. Raising a hard limit takes root, so they come before the identity.
    /// 3. Open files will close when the program starts.
    /// 4. The identity. Changing it takes root; the steps after this one do not.
    /// 5. [`end_with`] the supervisor. The kernel forgets this wish when the identity changes.
    /// 6. Landlock. From here on, this process can open only what the program may open.
    /// 7. The filter of system calls. It comes last, because it also applies to the calls that this function makes.
    fn enter(&mut self) -> Result<()> {
        for stop in STOP_SIGNALS {
            // SAFETY: the default disposition runs no code of ours.
            unsafe { signal(stop, SigHandler::SigDfl)? };
        }
        limits::bound(self.tasks)?;
        close_on_exec();
        if let Some(user) = self.user {
            identity::become_nobody(user, self.closes_files)?;
        }
        end_with(self.supervisor)?;
        if let Some(rules) = self.rules.take() {
            landlock::restrict(rules)?;
        }
        if let Some(filter) = &self.filter {
            sockets::restrict(filter)?;
        }
        Ok(())
    }
}

/// Makes this process ignore Ctrl-C and SIGTERM: it has to clean up after the program.
fn ignore_stop_signals() -> Result<()> {
    for stop in STOP_SIGNALS {
        // SAFETY: an ignored signal runs no code of ours.
        unsafe { signal(stop, SigHandler::SigIgn)? };
    }
    Ok(())
}

/// Starts the program inside the walls.
fn start(program: &mut Command, mut walls: Walls) -> Result<Pid> {
    // SAFETY: this process has only one thread, so no other thread holds a lock that is used between fork and exec.
    unsafe {
        program.pre_exec(move || {
            walls
                .enter()
                .map_err(|error| Error::other(format!("{error:#}")))
        });
    }
    let child = spawn(program).with_context(|| {
        format!(
            "the system refuses to start it. Is it an executable for this machine? Does it need a file that confined programs \
             may not read, and that {READABLE} should name?"
        )
    })?;
    Ok(Pid::from_raw(child.id().cast_signed()))
}

/// Moves this process into its parent's process group. Then signals to the group that it leaves reach only the program.
fn leave_group_to_program(parent: Pid) -> Result<()> {
    let _ = setpgid(Pid::from_raw(0), getpgid(Some(parent))?);
    Ok(())
}

/// Waits until the program ends, and reaps every other process that ends in the meantime.
fn wait_for(program: Pid) -> Result<WaitStatus> {
    loop {
        match waitpid(None, None) {
            Ok(status) if status.pid() == Some(program) => return Ok(status),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context("lost track of the program"),
        }
    }
}

/// Ends everything if the program exceeds a limit or if our parent has ended. `exceeded` then holds the limit.
fn watch(parent: Pid, own: &[PathBuf], exceeded: &OnceLock<String>) {
    let start = Instant::now();
    loop {
        thread::sleep(CHECK_INTERVAL);
        if getppid() != parent {
            end_all();
            // The parent would have removed them.
            for folder in own {
                let _ = fs::remove_dir_all(folder);
            }
            exit(ABANDONED);
        }
        if let Some(limit) = limits::exceeded(used(), own, start) {
            let _ = exceeded.set(limit);
            end_all();
        }
    }
}

/// Kills all our descendants, again and again until none is left.
fn end_all() {
    loop {
        let left = descendants();
        if left.is_empty() {
            return;
        }
        // A stopped process starts no others. So all of them are stopped before the first is killed.
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
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::path::PathBuf;

    use super::{Pid, Result, Signal, Use};
    use anyhow::{Context, ensure};
    use nix::unistd::{geteuid, getppid};
    use procfs::process::{Process, all_processes};

    /// Makes the kernel kill this process when its parent, the supervisor, ends. A supervisor that is killed itself, together
    /// with the grader for example, can clean up after nobody.
    pub fn end_with(supervisor: Pid) -> Result<()> {
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        ensure!(getppid() == supervisor, "the supervisor has ended");
        Ok(())
    }

    /// Makes this process the new parent of every descendant that loses its own, even one in a session of its own.
    pub fn become_subreaper() -> Result<()> {
        nix::sys::prctl::set_child_subreaper(true)
            .context("the kernel refuses to make this process a subreaper")
    }

    /// Sets every open file beyond the standard streams to close when the program starts. Otherwise the program would share
    /// whatever was left open in this process, such as pipes of the grader.
    pub fn close_on_exec() {
        use nix::libc::{CLOSE_RANGE_CLOEXEC, SYS_close_range, c_uint, syscall};
        // SAFETY: the call takes no pointers and closes nothing yet. A kernel that does not know it only returns an error.
        unsafe {
            syscall(
                SYS_close_range,
                3 as c_uint,
                c_uint::MAX,
                CLOSE_RANGE_CLOEXEC,
            )
        };
    }

    /// All our descendants that are alive. The dead ones only wait to be reaped. The kernel lists the children of each
    /// thread, so we do not have to search all processes of the machine.
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

    /// The process ids of all our descendants that are alive.
    pub fn descendants() -> Vec<Pid> {
        let found = descending();
        found
            .iter()
            .map(|process| Pid::from_raw(process.pid))
            .collect()
    }

    /// What all our descendants use together.
    pub fn used() -> Use {
        let found = descending();
        let pages = found
            .iter()
            .filter_map(|process| Some(process.statm().ok()?.resident));
        Use {
            processes: found.len(),
            resident: pages.map(|pages| pages * procfs::page_size()).sum(),
            nameless: nameless(&found),
        }
    }

    /// The size of all files without a name that these processes have open or in their memory, each counted once. Only root sees
    /// those that are in memory, but not open.
    fn nameless(processes: &[Process]) -> u64 {
        let folders = processes.iter().flat_map(|process| {
            let of_process = PathBuf::from(format!("/proc/{}", process.pid));
            ["fd", "map_files"].map(|name| of_process.join(name))
        });
        let links = folders.filter_map(|folder| fs::read_dir(folder).ok());
        let files = links.flatten().flatten().filter_map(|link| {
            let file = fs::metadata(link.path()).ok()?;
            (file.is_file() && file.nlink() == 0).then(|| ((file.dev(), file.ino()), file.len()))
        });
        files.collect::<BTreeMap<_, _>>().into_values().sum()
    }

    /// How many tasks (processes and threads) our user has now; `None` if the processes cannot be listed.
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

    /// Does nothing: other systems have no subreapers, so we cannot end what a program leaves running.
    pub fn become_subreaper() -> Result<()> {
        Ok(())
    }

    /// Does nothing: other systems do not have this call.
    pub fn end_with(_: Pid) -> Result<()> {
        Ok(())
    }

    /// Does nothing: other systems do not have this call.
    pub fn close_on_exec() {}

    /// None: other systems cannot list them.
    pub fn descendants() -> Vec<Pid> {
        Vec::new()
    }

    /// Nothing, because it cannot be measured.
    pub fn used() -> Use {
        Use::default()
    }

    /// `None`, because they cannot be counted.
    pub fn tasks_of_user() -> Option<u64> {
        None
    }
}

use system::{become_subreaper, close_on_exec, descendants, end_with, tasks_of_user, used};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_may_have_any_name_in_the_options_of_a_jvm() {
        let option = |folder| folder_option(Path::new(folder));
        assert_eq!(option("/tmp/x"), r#"-Djava.io.tmpdir="/tmp/x""#);
        assert_eq!(option("/my files"), r#"-Djava.io.tmpdir="/my files""#);
        assert_eq!(option(r#"/5" x"#), r#"-Djava.io.tmpdir="/5"'"'" x""#);
    }
}
