//! Kafka as a plain JVM process, under a keeper that ends it with its owner and removes what it wrote.

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
use crate::keeper::{Folder, Keeper, LOG, Lifetime, PID_OF_KEEPER, STARTING};
use crate::ports::{PORT_ATTEMPTS, PRIVATE, Ports, free_port};
use crate::prepared::{Prepared, define, properties_for};
use crate::{Cache, wait};

/// Seen 1.2 s on an idle machine, 6 s on a busy one.
const READY_LIMIT: Duration = Duration::from_secs(90);

/// The port is in use by another process.
#[derive(Debug, PartialEq, Eq)]
pub struct PortTaken(pub u16);

impl std::error::Error for PortTaken {}

impl std::fmt::Display for PortTaken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "port {} is taken", self.0)
    }
}

/// A running broker: its folder in the cache holds its data, its logs and its process id.
#[derive(Debug)]
pub struct Process {
    folder: PathBuf,
    /// The keeper, where this process is the owner.
    keeper: Option<Keeper>,
}

impl Process {
    /// Starts a broker and waits until it is ready. `archive` is the JVM option that uses or makes the class archive.
    ///
    /// # Errors
    /// [`PortTaken`]; when the broker ends before it is ready; on Ctrl-C. Nothing is left behind then.
    pub fn start(
        prepared: &Prepared,
        cache: &Cache,
        folder: Folder<'_>,
        ports: Ports,
        lifetime: Lifetime,
        archive: &str,
    ) -> Result<Self> {
        let mut left = PORT_ATTEMPTS;
        loop {
            let controller = free_port(PRIVATE)?;
            left -= 1;
            match Self::start_once(
                prepared, cache, folder, ports, controller, lifetime, archive,
            ) {
                Err(error) if left > 0 && error.downcast_ref() == Some(&PortTaken(controller)) => {}
                other => return other,
            }
        }
    }

    fn start_once(
        prepared: &Prepared,
        cache: &Cache,
        folder: Folder<'_>,
        ports: Ports,
        controller: u16,
        lifetime: Lifetime,
        archive: &str,
    ) -> Result<Self> {
        let keeper = Keeper::start(cache, lifetime, folder, "", |folder| {
            let data = folder.join("data");
            fs::create_dir(&data)?;
            for entry in fs::read_dir(prepared.template())? {
                let entry = entry?;
                fs::copy(entry.path(), data.join(entry.file_name()))?;
            }
            let properties = folder.join("server.properties");
            fs::write(&properties, properties_for(ports, controller, &data))?;
            let mut java = vec![prepared.java.path.clone().into_os_string()];
            let options = [
                "-Xmx256m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                archive,
            ];
            java.extend(options.map(Into::into));
            java.push(define("kafka.logs.dir", folder).into());
            java.push(define("log4j2.configurationFile", &prepared.logging()).into());
            java.extend(["-cp", &prepared.class_path, "kafka.Kafka"].map(Into::into));
            java.push(properties.into());
            Ok(java)
        })?;
        Self::wait_for(keeper, ports, lifetime)
    }

    /// Starts a broker in a container that ends with us, and waits until it is ready.
    ///
    /// # Errors
    /// As [`Process::start`].
    #[cfg(not(feature = "testcontainers"))]
    pub fn start_container(docker: &Docker, cache: &Cache, ports: Ports) -> Result<Self> {
        let name = format!("kafka-lab-private-{}", ports.client);
        // Where we end while Docker is still making the container, it is there only a moment later.
        let after = format!(
            "for _ in 1 2 3 4 5 6 7 8 9 10; do docker --host '{}' rm -f -v {name} | grep -q . && break; sleep 0.5; done",
            docker.host
        );
        let keeper = Keeper::start(cache, Lifetime::Owned, Folder::Fresh, &after, |folder| {
            // The container's folder is named so that a later start can tell whose process this is.
            let mut command = docker.run_command(&name, ports);
            let at = command.len() - 1;
            let label = format!("kafka-lab={}", folder.display());
            command.splice(at..at, ["--label".into(), label.into()]);
            Ok(command)
        })?;
        Self::wait_for(keeper, ports, Lifetime::Owned)
    }

    fn wait_for(mut keeper: Keeper, ports: Ports, lifetime: Lifetime) -> Result<Self> {
        let ready = wait_until_ready(&mut keeper, ports.client);
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

    /// The request log from this byte on: a file of its own from a JVM; among what it prints from a container.
    ///
    /// # Errors
    /// When the broker has gone.
    pub fn request_log(&self, from: usize) -> Result<Vec<u8>> {
        let own = self.folder.join("requests.log");
        let log = if own.exists() {
            own
        } else {
            self.folder.join(LOG)
        };
        let mut log = File::open(log).context("the broker has gone")?;
        log.seek(SeekFrom::Start(from.try_into()?))?;
        let mut rest = Vec::new();
        log.read_to_end(&mut rest)?;
        Ok(rest)
    }

    /// The broker that runs in this folder, if one does.
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

    /// Sends the JVM a signal: SIGSTOP pauses the broker, SIGCONT resumes it.
    ///
    /// # Errors
    /// When it has gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid().context("the broker has gone")?;
        kill(pid, signal).context("the broker has gone")
    }

    /// Waits until the JVM has ended by itself.
    ///
    /// # Errors
    /// When it is still there after `limit`; on Ctrl-C.
    pub fn wait_for_exit(&self, limit: Duration) -> Result<()> {
        let exit = self.folder.join("exit");
        wait::until("Kafka to stop", limit, || Ok(exit.exists().then_some(())))
    }

    /// Kills the broker; its keeper then removes the folder. Waits for that also when Ctrl-C was pressed.
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

fn wait_until_ready(keeper: &mut Keeper, port: u16) -> Result<()> {
    wait::until("Kafka to be ready", READY_LIMIT, || {
        // What it printed is looked at later than this, so that its last words are among it.
        let ended = keeper.has_ended()? || keeper.folder.join("exit").exists();
        let printed = keeper.printed()?;
        let text = String::from_utf8_lossy(&printed);
        if text.contains("Kafka Server started") {
            return Ok(Some(()));
        }
        if let Some(taken) = taken_port(&text, port) {
            bail!(PortTaken(taken));
        }
        if ended {
            bail!(
                "Kafka ended before it was ready. Its last words:\n{}",
                last_lines(&printed, 8)
            );
        }
        Ok(None)
    })
}

/// The port that could not be listened on, by what Kafka or Docker has printed. Docker does not always name it: `port` then.
fn taken_port(text: &str, port: u16) -> Option<u16> {
    if let Some((_, rest)) = text.split_once("failed to bind to 127.0.0.1:") {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
        return digits.and_then(|digits| digits.parse().ok());
    }
    ["port is already allocated", "address already in use"]
        .iter()
        .any(|words| text.contains(words))
        .then_some(port)
}

/// Ends what is left of brokers whose keeper was killed, and removes their folders.
///
/// # Errors
/// When the cache cannot be read.
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

/// Is `pid` a live process that works in `folder`? (Process ids are used again.)
fn is_running(pid: Pid, folder: &Path) -> bool {
    command_line(pid).contains(&*folder.to_string_lossy())
}

/// What a process was started with; empty where there is none, or only its exit status is left.
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
