//! Kafka as a process of a JVM or of `docker run`. A keeper ends it together with its owner and removes its files.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[cfg(not(feature = "testcontainers"))]
use crate::Docker;
use crate::command::last_lines;
#[cfg(not(feature = "testcontainers"))]
use crate::docker::LABEL;
use crate::keeper::{Folder, Keeper, LOG, Lifetime, PID_OF_KEEPER, STARTING};
use crate::ports::{PortTaken, Ports};
use crate::prepared::{Prepared, properties_for};
use crate::version::in_class_path;
use crate::{Cache, wait};

/// The error if a broker's files or its process are missing.
pub const GONE: &str = "the broker has ended";

/// How long Kafka may take to become ready. It took 1.2 s on an idle machine and 6 s on a busy one.
pub const READY_LIMIT: Duration = Duration::from_secs(90);

/// A running broker.
#[derive(Debug)]
pub struct Process {
    /// A folder in the cache with the broker's data, its logs and its process id.
    folder: PathBuf,
    /// `None` if this process is not the broker's owner.
    keeper: Option<Keeper>,
}

impl Process {
    /// Starts a broker in a JVM and waits until it is ready. `archive` is the JVM option that uses or makes the class archive.
    ///
    /// # Errors
    /// [`PortTaken`] if a port is taken. Also if the broker ends before it is ready, or on Ctrl-C. Then no process and no
    /// folder is left.
    pub fn start(
        prepared: &Prepared,
        cache: &Cache,
        folder: Folder<'_>,
        ports: Ports,
        lifetime: Lifetime,
        archive: &str,
    ) -> Result<Self> {
        let keeper = Keeper::start(cache, lifetime, folder, "", |folder| {
            let data = folder.join("data");
            copy_folder(&prepared.template(), &data)?;
            let properties = folder.join("server.properties");
            fs::write(&properties, properties_for(ports, &data)?)?;
            let mut java = prepared.broker_words("-Xmx256m", archive, folder);
            java.extend(["-cp", &prepared.class_path, "kafka.Kafka"].map(Into::into));
            java.push(properties.into());
            Ok(java)
        })?;
        Self::wait_for(keeper, ports, lifetime)
    }

    /// Starts a broker in a container that ends with this process, and waits until it is ready.
    ///
    /// # Errors
    /// [`PortTaken`] if a port is taken. Also if the broker ends before it is ready, or on Ctrl-C. Then no container and no
    /// folder is left.
    #[cfg(not(feature = "testcontainers"))]
    pub fn start_container(docker: &Docker, cache: &Cache, ports: Ports) -> Result<Self> {
        let name = format!("kafka-lab-private-{}", ports.client);
        // If we end while Docker is still making the container, the container appears only a moment later.
        let after = format!(
            "export DOCKER_HOST='{}'; for _ in 1 2 3 4 5 6 7 8 9 10; do docker ps -aq --filter \"label={LABEL}=$folder\" | \
             xargs docker rm -f -v | grep -q . && break; sleep 0.5; done",
            docker.host
        );
        let keeper = Keeper::start(cache, Lifetime::Owned, Folder::Fresh, &after, |folder| {
            // The label names the folder. By this, the keeper recognizes the container, and a later start recognizes the
            // process that belongs to the folder.
            let mut command = docker.run_command(&name, ports);
            let at = command.len() - 1;
            let label = format!("{LABEL}={}", folder.display());
            command.splice(at..at, ["--label".into(), label.into()]);
            Ok(command)
        })?;
        Self::wait_for(keeper, ports, Lifetime::Owned)
    }

    fn wait_for(mut keeper: Keeper, ports: Ports, lifetime: Lifetime) -> Result<Self> {
        let ready = wait_until_ready(&mut keeper, ports);
        let mut process = Self {
            folder: keeper.folder.clone(),
            keeper: Some(keeper),
        };
        if ready.is_err() {
            process.end();
        } else if lifetime == Lifetime::Kept {
            process.keeper = None;
        }
        ready.map(|()| process)
    }

    /// Reads the request log from this byte on. A JVM writes it to a file of its own. A container prints it together with
    /// its other messages.
    ///
    /// # Errors
    /// If the broker no longer exists.
    pub fn request_log(&self, from: usize) -> Result<Vec<u8>> {
        let own = self.folder.join("requests.log");
        let log = if own.exists() {
            own
        } else {
            self.folder.join(LOG)
        };
        read_from(&log, from)
    }

    /// The broker that runs in this folder, if there is one.
    pub fn find(folder: &Path) -> Option<Self> {
        let process = Self {
            folder: folder.to_path_buf(),
            keeper: None,
        };
        let pid = process.pid()?;
        is_running(pid, folder).then_some(process)
    }

    /// The process id of the JVM.
    pub fn pid(&self) -> Option<Pid> {
        read_pid(&self.folder.join("pid"))
    }

    /// The version of Kafka that runs in it; empty if the broker no longer exists.
    pub fn version(&self) -> String {
        let command = self.pid().map(command_line).unwrap_or_default();
        in_class_path(&command).unwrap_or_default().to_string()
    }

    /// Sends the JVM a signal: SIGSTOP pauses the broker, SIGCONT resumes it.
    ///
    /// # Errors
    /// If the broker no longer exists.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid().context(GONE)?;
        kill(pid, signal).context(GONE)
    }

    /// Waits until the JVM has ended by itself.
    ///
    /// # Errors
    /// If the JVM is still running after `limit`, or on Ctrl-C.
    pub fn wait_for_exit(&self, limit: Duration) -> Result<()> {
        let exit = self.folder.join("exit");
        wait::until("Kafka to stop", limit, || Ok(exit.exists().then_some(())))
    }

    /// Kills the broker. Its keeper then removes the folder. Waits for this even if Ctrl-C was pressed.
    pub fn end(&mut self) {
        let pid = self.pid();
        if let Some(pid) = pid.filter(|&pid| is_running(pid, &self.folder)) {
            let _ = kill(pid, Signal::SIGKILL);
        }
        if let Some(keeper) = self.keeper.take() {
            keeper.end();
        } else {
            for _ in 0..250 {
                if !self.folder.exists() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn wait_until_ready(keeper: &mut Keeper, ports: Ports) -> Result<()> {
    wait::until("Kafka to be ready", READY_LIMIT, || {
        // This comes before reading what Kafka printed. If Kafka has ended, nothing that it printed is missed.
        let ended = keeper.has_ended()? || keeper.folder.join("exit").exists();
        let printed = keeper.printed()?;
        let text = String::from_utf8_lossy(&printed);
        if text.contains("Kafka Server started") {
            return Ok(Some(()));
        }
        if let Some(taken) = ports.all().find(|port| finds_taken(&text, *port)) {
            bail!(PortTaken(taken));
        }
        if docker_finds_taken(&text) {
            bail!(PortTaken(ports.client));
        }
        if ended {
            bail!(
                "Kafka ended before it was ready. It printed last:\n{}",
                last_lines(&printed, 8)
            );
        }
        Ok(None)
    })
}

/// Whether Kafka found this port taken, according to what it printed.
pub fn finds_taken(printed: &str, port: u16) -> bool {
    printed.contains(&format!("failed to bind to 127.0.0.1:{port}:"))
}

/// Whether Docker found a port taken, according to what it printed. It does not always name it.
fn docker_finds_taken(printed: &str) -> bool {
    ["port is already allocated", "address already in use"]
        .iter()
        .any(|words| printed.contains(words))
}

/// Reads a file from this byte on.
///
/// # Errors
/// [`GONE`] if there is no such file.
pub fn read_from(file: &Path, from: usize) -> Result<Vec<u8>> {
    let mut file = File::open(file).context(GONE)?;
    file.seek(SeekFrom::Start(from.try_into()?))?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest)?;
    Ok(rest)
}

/// Copies a folder and what is in it.
///
/// # Errors
/// If something cannot be read or written.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &copy)?;
        } else {
            fs::copy(entry.path(), copy)?;
        }
    }
    Ok(())
}

/// Ends brokers whose keeper was killed, and removes their folders.
///
/// # Errors
/// If the cache cannot be read.
pub fn reap(cache: &Cache) -> Result<()> {
    let _guard = cache.lock(STARTING)?;
    for entry in fs::read_dir(cache.run())? {
        let folder = entry?.path();
        let keeper = read_pid(&folder.join(PID_OF_KEEPER));
        if keeper.is_some_and(|keeper| is_running(keeper, &folder)) {
            continue;
        }
        if let Some(mut process) = Process::find(&folder) {
            process.end();
        }
        let _ = fs::remove_dir_all(&folder);
    }
    Ok(())
}

fn read_pid(file: &Path) -> Option<Pid> {
    let pid = fs::read_to_string(file).ok()?.trim().parse().ok()?;
    Some(Pid::from_raw(pid))
}

/// Whether `pid` is a live process that works in `folder`. The process id alone says too little, because the system uses ids
/// again.
fn is_running(pid: Pid, folder: &Path) -> bool {
    command_line(pid).contains(&*folder.to_string_lossy())
}

/// The command line of a process. It is empty if there is no such process, or if only its exit status is left.
fn command_line(pid: Pid) -> String {
    let words = if Path::new("/proc/self/cmdline").exists() {
        fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
    } else {
        Command::new("ps")
            .args(["-ww", "-o", "args=", "-p", &pid.to_string()])
            .output()
            .map(|output| output.stdout)
            .unwrap_or_default()
    };
    String::from_utf8_lossy(&words).into_owned()
}
