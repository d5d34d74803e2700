//! The shared Kafka: the one that students work with, on `127.0.0.1:9092`.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::docker::LABEL;
use crate::jvm::{Process, reap};
use crate::keeper::{Folder, Keeper, Lifetime};
use crate::ports::{PortTaken, on_free_ports};
use crate::prepare::prepare;
use crate::request_log::{Request, read};
use crate::version::version;
use crate::way::bootstrap_servers;
use crate::{Cache, Docker, Java, Way};

/// The shared Kafka, which is running.
#[derive(Debug)]
pub struct SharedKafka {
    /// The address that clients connect to first.
    pub bootstrap: String,
    /// How long it took to start; `None` if it was running before.
    pub started: Option<Duration>,
    place: Place,
    /// Ends the container if this process is killed; `None` if nothing needs this.
    keeper: Option<Keeper>,
    lifetime: Lifetime,
}

/// Where the shared Kafka runs.
#[derive(Debug)]
pub enum Place {
    /// In the user's own cluster, which `BOOTSTRAP_SERVERS` names.
    Yours,
    /// In this container.
    Docker { docker: Docker, container: String },
    /// In a plain JVM.
    Jvm(Process),
}

/// The port of the shared Kafka: `KAFKA_LAB_PORT`, or 9092 if that variable is not set.
///
/// # Errors
/// If the variable does not contain a port.
pub fn port() -> Result<u16> {
    match std::env::var("KAFKA_LAB_PORT") {
        Ok(text) if !text.is_empty() => text.parse().with_context(|| {
            format!("KAFKA_LAB_PORT is `{text}`, but must be a port number, from 1 to 65535")
        }),
        _ => Ok(9092),
    }
}

/// The address for clients. It has no name, because `localhost` may also stand for an IPv6 address, on which Kafka does not
/// listen.
fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

impl SharedKafka {
    /// The shared Kafka, if it is running. Does not check whether a cluster in `BOOTSTRAP_SERVERS` is running.
    ///
    /// # Errors
    /// If the cache cannot be used, or Docker fails.
    pub fn find() -> Result<Option<Self>> {
        if let Some(servers) = bootstrap_servers() {
            return Ok(Some(Self::running(servers, Place::Yours)));
        }
        let port = port()?;
        let bootstrap = address(port);
        if let Some(process) = Process::find(&Cache::open()?.run().join(jvm_folder(port))) {
            return Ok(Some(Self::running(bootstrap, Place::Jvm(process))));
        }
        let container = container()?;
        if let Ok(docker) = Docker::find()
            && docker.running(&container)?
        {
            return Ok(Some(Self::running(
                bootstrap,
                Place::Docker { docker, container },
            )));
        }
        Ok(None)
    }

    /// The shared Kafka. Starts it if it is not running. Then `lifetime` says whether it ends with this process.
    ///
    /// # Errors
    /// If there is no way to start it, or if its port is taken. The message says what to do.
    pub fn up(lifetime: Lifetime) -> Result<Self> {
        let cache = Cache::open()?;
        // If two processes get here at the same time, the second one finds the Kafka that the first one has started.
        let _guard = cache.lock("up")?;
        reap(&cache)?;
        if let Some(running) = Self::find()? {
            return Ok(running);
        }
        let port = port()?;
        let way = Way::for_shared()?;
        let start = Instant::now();
        let started = match &way {
            Way::Yours(_) => return Self::find()?.context("BOOTSTRAP_SERVERS is no longer set"),
            Way::Docker(docker) => Self::start_container(&cache, docker, port, lifetime),
            Way::Jvm(java) => Self::start_jvm(&cache, java, port, lifetime),
        };
        let mut shared = started.map_err(|error| match error.downcast_ref::<PortTaken>() {
            Some(PortTaken(port)) => anyhow!(
                "Port {port} is taken by another program. If that program is a Kafka that you want to use, set \
                 BOOTSTRAP_SERVERS={}. Otherwise stop the program, or set KAFKA_LAB_PORT to another port",
                address(*port)
            ),
            None => error,
        })?;
        shared.started = Some(start.elapsed());
        Ok(shared)
    }

    fn running(bootstrap: String, place: Place) -> Self {
        Self {
            bootstrap,
            started: None,
            place,
            keeper: None,
            lifetime: Lifetime::Kept,
        }
    }

    fn start_jvm(cache: &Cache, java: &Java, port: u16, lifetime: Lifetime) -> Result<Self> {
        // If the port is taken, this fails before anything is downloaded or written.
        TcpListener::bind(("127.0.0.1", port)).map_err(|_| PortTaken(port))?;
        let prepared = prepare(cache, java.clone())?;
        let folder = jvm_folder(port);
        let archive = prepared.use_archive();
        let (_, process) = on_free_ports(Some(port), None, |ports| {
            let folder = Folder::Named(&folder);
            Process::start(&prepared, cache, folder, ports, lifetime, &archive)
        })?;
        let mut shared = Self::running(address(port), Place::Jvm(process));
        shared.lifetime = lifetime;
        Ok(shared)
    }

    fn start_container(
        cache: &Cache,
        docker: &Docker,
        port: u16,
        lifetime: Lifetime,
    ) -> Result<Self> {
        let container = container()?;
        let keeper = match lifetime {
            Lifetime::Kept => None,
            Lifetime::Owned => {
                let after = format!(
                    "export DOCKER_HOST='{}'; docker ps -aq --filter 'name=^/{container}$' --filter label={LABEL} | \
                     xargs docker rm -f -v",
                    docker.host
                );
                let nothing = |_: &Path| Ok(["sleep", "86400"].map(Into::into).to_vec());
                Some(Keeper::start(
                    cache,
                    lifetime,
                    Folder::Fresh,
                    &after,
                    nothing,
                )?)
            }
        };
        let started = docker.up(&container, port);
        let docker = docker.clone();
        let mut shared = Self::running(address(port), Place::Docker { docker, container });
        shared.keeper = keeper;
        shared.lifetime = lifetime;
        started.map(|()| shared)
    }

    /// Where Kafka runs.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Reads Kafka's request log from the position `from` on, in bytes. Returns the requests, and the position from which to
    /// read next time. From the user's own cluster it returns no requests, because we cannot read its log.
    ///
    /// # Errors
    /// If Kafka is no longer running.
    pub fn requests(&self, from: usize) -> Result<(Vec<Request>, usize)> {
        Ok(match &self.place {
            Place::Yours => (Vec::new(), from),
            Place::Docker { docker, container } => {
                let output = docker.output(container)?;
                let new = output.as_bytes().get(from..).unwrap_or_default();
                read(new, from, |_| true)
            }
            Place::Jvm(process) => read(&process.request_log(from)?, from, |_| true),
        })
    }

    /// Stops Kafka and removes its data.
    ///
    /// # Errors
    /// If it is the user's own cluster, or Docker refuses.
    pub fn down(&mut self) -> Result<()> {
        match &mut self.place {
            Place::Yours => bail!(
                "{} is your own cluster (BOOTSTRAP_SERVERS), which `cargo lab` does not stop",
                self.bootstrap
            ),
            Place::Docker { docker, container } => docker.remove(container),
            Place::Jvm(process) => {
                process.end();
                Ok(())
            }
        }
    }
}

impl Drop for SharedKafka {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::Owned {
            let _ = self.down();
        }
        if let Some(keeper) = self.keeper.take() {
            keeper.end();
        }
    }
}

/// The version of Kafka and where it runs.
impl std::fmt::Display for SharedKafka {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bootstrap = &self.bootstrap;
        match &self.place {
            Place::Yours => write!(f, "your own cluster at {bootstrap} (BOOTSTRAP_SERVERS)"),
            Place::Docker { container, .. } => {
                write!(
                    f,
                    "Kafka {} in Docker, container {container}, on {bootstrap}",
                    version()
                )
            }
            Place::Jvm(process) => {
                let pid = process.pid().map(|pid| pid.to_string()).unwrap_or_default();
                write!(
                    f,
                    "Kafka {} in a plain JVM, process {pid}, on {bootstrap}",
                    process.version()
                )
            }
        }
    }
}

/// The container that has the name of the lab's, although the lab has not made it, if there is one.
///
/// # Errors
/// If Docker does not answer any more.
pub fn foreign_container() -> Result<Option<String>> {
    let name = container()?;
    Ok(match Docker::find() {
        Ok(docker) if docker.is_foreign(&name)? => Some(name),
        _ => None,
    })
}

/// The container's name. It is `kafka-broker`, as on the slides. If the port is not 9092, it ends with the port.
fn container() -> Result<String> {
    Ok(match port()? {
        9092 => "kafka-broker".to_string(),
        other => format!("kafka-broker-{other}"),
    })
}

/// The name of the folder in the cache that the JVM of the shared Kafka works in.
fn jvm_folder(port: u16) -> String {
    format!("lab-{port}")
}
