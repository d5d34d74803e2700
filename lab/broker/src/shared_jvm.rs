//! Brokers that share a JVM. A JVM that has just started needs seconds of processor time until Kafka's code is loaded and
//! compiled; for another broker in it, this takes a quarter of a second.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use anyhow::{Context, Result, bail};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use parking_lot::Mutex;

use crate::command::last_lines;
use crate::jvm::{GONE, READY_LIMIT, copy_folder, finds_taken, read_from};
use crate::keeper::{Folder, Keeper, Lifetime};
use crate::ports::{PortTaken, Ports};
use crate::prepared::{Prepared, properties_for};
use crate::{Cache, wait};

/// How many brokers a JVM starts, one after the other. Then the next ones get a new JVM.
const MOST: usize = 32;

/// The most memory for objects of all brokers of a JVM. One by itself gets a quarter of this.
const HEAP: &str = "-Xmx1g";

/// What clients send to one broker cannot use up the memory of the others: requests wait until there is room for them.
const OWN_MEMORY: &str = "socket.request.max.bytes=16777216\nqueued.max.request.bytes=16777216\n";

/// The JVM that was started last. It ends with the last of its brokers.
static LATEST: Mutex<Weak<Jvm>> = Mutex::new(Weak::new());

/// A broker in a JVM that this process has started. Dropping it stops the broker.
#[derive(Debug)]
pub struct Hosted {
    jvm: Arc<Jvm>,
    /// A folder in that of the JVM, with the broker's data and its request log.
    folder: PathBuf,
}

/// A JVM that runs `Servers.java`.
#[derive(Debug)]
struct Jvm {
    /// `None` only while this is being dropped.
    keeper: Mutex<Option<Keeper>>,
    folder: PathBuf,
    /// The named pipe from which it reads commands.
    commands: Mutex<File>,
    /// How many brokers were started in it.
    started: AtomicUsize,
}

impl Hosted {
    /// Starts a broker on these ports, and waits until it is ready.
    ///
    /// # Errors
    /// [`PortTaken`] if a port is taken. Also if the broker cannot be started, or on Ctrl-C.
    pub fn start(prepared: &Prepared, cache: &Cache, ports: Ports) -> Result<Self> {
        let (jvm, number) = Jvm::with_room(prepared, cache)?;
        let folder = jvm.folder.join(format!("broker-{number}"));
        let data = folder.join("data");
        fs::create_dir(&folder).context(GONE)?;
        copy_folder(&prepared.template(), &data)?;
        let properties = properties_for(ports, &data)?;
        fs::write(
            folder.join("server.properties"),
            format!("{properties}{OWN_MEMORY}"),
        )?;
        let broker = Self { jvm, folder };
        broker.tell("start")?;
        wait::until("Kafka to be ready", READY_LIMIT, || {
            broker.is_ready(ports).map(|ready| ready.then_some(()))
        })?;
        Ok(broker)
    }

    fn is_ready(&self, ports: Ports) -> Result<bool> {
        if let Ok(error) = fs::read_to_string(self.folder.join("failed")) {
            let printed = self.jvm.printed()?;
            let printed = String::from_utf8_lossy(&printed);
            if let Some(port) = ports.all().find(|port| finds_taken(&printed, *port)) {
                bail!(PortTaken(port));
            }
            bail!("Kafka could not be started: {error}");
        }
        if !self.jvm.is_running() {
            bail!(
                "Kafka ended before it was ready. It printed last:\n{}",
                last_lines(&self.jvm.printed()?, 8)
            );
        }
        Ok(self.folder.join("ready").exists())
    }

    /// Reads the request log from this byte on.
    ///
    /// # Errors
    /// If the JVM no longer exists.
    pub fn request_log(&self, from: usize) -> Result<Vec<u8>> {
        let log = self.folder.join("requests.log");
        if !log.exists() && self.jvm.is_running() {
            // It has not answered anything yet.
            return Ok(Vec::new());
        }
        read_from(&log, from)
    }

    fn tell(&self, word: &str) -> Result<()> {
        let line = format!("{word} {}\n", self.folder.display());
        let mut commands = self.jvm.commands.lock();
        commands.write_all(line.as_bytes()).context(GONE)
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        // The last one ends with its JVM.
        if Arc::strong_count(&self.jvm) > 1 && self.jvm.is_running() {
            let _ = self.tell("stop");
        }
    }
}

impl Jvm {
    /// A JVM for one more broker, and the broker's number in it.
    fn with_room(prepared: &Prepared, cache: &Cache) -> Result<(Arc<Self>, usize)> {
        let mut latest = LATEST.lock();
        if let Some(jvm) = latest.upgrade().filter(|jvm| jvm.is_running()) {
            let number = jvm.started.fetch_add(1, Ordering::Relaxed);
            if number < MOST {
                return Ok((jvm, number));
            }
        }
        let jvm = Arc::new(Self::start(prepared, cache)?);
        *latest = Arc::downgrade(&jvm);
        Ok((jvm, 0))
    }

    fn start(prepared: &Prepared, cache: &Cache) -> Result<Self> {
        let pipe = |folder: &Path| folder.join("commands");
        let keeper = Keeper::start(cache, Lifetime::Owned, Folder::Fresh, "", |folder| {
            mkfifo(&pipe(folder), Mode::S_IRUSR | Mode::S_IWUSR)?;
            let mut java = prepared.broker_words(HEAP, &prepared.use_archive(), folder);
            // The log learns from a thread's context which broker it belongs to.
            java.push("-Dlog4j2.isThreadContextMapInheritable=true".into());
            let class_path = format!("{}:{}", prepared.class_path, prepared.servers().display());
            java.extend(["-cp", &class_path, "Servers"].map(Into::into));
            java.push(pipe(folder).into());
            Ok(java)
        })?;
        // Opened for both, a pipe needs nobody at its other end yet, and never comes to an end.
        let commands = OpenOptions::new()
            .read(true)
            .write(true)
            .open(pipe(&keeper.folder))?;
        Ok(Self {
            folder: keeper.folder.clone(),
            keeper: Mutex::new(Some(keeper)),
            commands: Mutex::new(commands),
            started: AtomicUsize::new(1),
        })
    }

    /// Everything that it has printed so far.
    fn printed(&self) -> Result<Vec<u8>> {
        let mut keeper = self.keeper.lock();
        keeper.as_mut().context(GONE)?.printed()
    }

    /// Whether it has not ended.
    fn is_running(&self) -> bool {
        self.folder.exists() && !self.folder.join("exit").exists()
    }
}

impl Drop for Jvm {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.get_mut().take() {
            keeper.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::Java;
    use crate::jars;
    use crate::ports::on_free_ports;
    use crate::prepare::prepare;

    #[test]
    fn a_broker_whose_port_is_taken_ends_no_other() -> Result<()> {
        let cache = Cache::open()?;
        let java = Java::find().and_then(|java| jars::available(&cache).map(|()| java));
        let java = match java {
            Ok(java) => java,
            Err(missing) => {
                eprintln!("NOT TESTED: brokers that share a JVM. {missing:#}");
                return Ok(());
            }
        };
        let prepared = prepare(&cache, java)?;
        let start = || on_free_ports(None, None, |ports| Hosted::start(&prepared, &cache, ports));
        let (ports, first) = start()?;
        let taken = TcpListener::bind("127.0.0.1:0")?;
        let mut same = Ports::free(None, None)?;
        same.client = taken.local_addr()?.port();
        let error = Hosted::start(&prepared, &cache, same).expect_err("the port is taken");
        assert_eq!(error.downcast_ref(), Some(&PortTaken(same.client)));
        let (_, third) = start()?;
        assert!(Arc::ptr_eq(&first.jvm, &third.jvm));
        TcpStream::connect(("127.0.0.1", ports.client))?;

        // When the last one ends, nothing is left.
        let folder = first.jvm.folder.clone();
        drop(third);
        TcpStream::connect(("127.0.0.1", ports.client))?;
        drop(first);
        assert!(!folder.exists());
        Ok(())
    }
}
