//! The lab's Kafka: the one broker that students work with, on `localhost:9092`.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::jvm::{PortTaken, Process, reap};
use crate::keeper::{Folder, Keeper, Lifetime};
use crate::ports::Ports;
use crate::prepared::Prepared;
use crate::request_log::{Request, read};
use crate::way::bootstrap_servers;
use crate::{Cache, Docker, Java, Way};

/// A Kafka that runs for the lab.
#[derive(Debug)]
pub struct SharedKafka {
    /// What a client connects to.
    pub bootstrap: String,
    /// Whether this call to [`SharedKafka::up`] started it, and how long that took.
    pub started: Option<Duration>,
    place: Place,
    /// Set where it must end with us.
    keeper: Option<Keeper>,
    lifetime: Lifetime,
}

/// Where the lab's Kafka runs.
#[derive(Debug)]
pub enum Place {
    /// A cluster that the user named.
    Yours,
    /// This container.
    Docker { docker: Docker, container: String },
    /// A plain JVM.
    Jvm(Process),
}

/// The port of the lab's Kafka: `KAFKA_LAB_PORT`, or 9092.
///
/// # Errors
/// When the variable holds no port.
pub fn port() -> Result<u16> {
    match std::env::var("KAFKA_LAB_PORT") {
        Ok(text) if !text.is_empty() => text
            .parse()
            .with_context(|| format!("KAFKA_LAB_PORT is `{text}`, which is no port")),
        _ => Ok(9092),
    }
}

impl SharedKafka {
    /// The lab's Kafka, if it runs. A cluster that the user named is taken at their word.
    ///
    /// # Errors
    /// When the cache cannot be read or Docker does not answer as it should.
    pub fn find() -> Result<Option<Self>> {
        if let Some(servers) = bootstrap_servers() {
            return Ok(Some(Self::running(servers, Place::Yours)));
        }
        let port = port()?;
        let bootstrap = format!("localhost:{port}");
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

    /// The lab's Kafka, started if it does not run. `Lifetime::Owned`: what is started here ends with this process.
    ///
    /// # Errors
    /// When there is no way to start it, or its port is taken: a message that says what to do.
    pub fn up(lifetime: Lifetime) -> Result<Self> {
        let cache = Cache::open()?;
        // Two at once: the second finds what the first has started.
        let _guard = cache.lock("up")?;
        reap(&cache)?;
        if let Some(lab) = Self::find()? {
            return Ok(lab);
        }
        let port = port()?;
        let way = Way::for_lab()?;
        let start = Instant::now();
        let started = match &way {
            Way::Yours(_) => return Self::find()?.context("BOOTSTRAP_SERVERS changed"),
            Way::Docker(docker) => Self::start_container(&cache, docker, port, lifetime),
            Way::Jvm(java) => Self::start_jvm(&cache, java, port, lifetime),
        };
        let mut lab = started.map_err(|error| match error.downcast_ref::<PortTaken>() {
            Some(PortTaken(port)) => anyhow::anyhow!(
                "Port {port} is taken by another program. If that is a Kafka you want to use, set \
                 BOOTSTRAP_SERVERS=localhost:{port}; otherwise stop it, or choose another port with KAFKA_LAB_PORT"
            ),
            None => error,
        })?;
        lab.started = Some(start.elapsed());
        Ok(lab)
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
        // Before anything is downloaded or written: is the port free?
        TcpListener::bind(("127.0.0.1", port)).map_err(|_| PortTaken(port))?;
        let prepared = Prepared::get(cache, java.clone())?;
        let folder = jvm_folder(port);
        let archive = prepared.use_archive();
        let process = Process::start(
            &prepared,
            cache,
            Folder::Named(&folder),
            Ports::client(port),
            lifetime,
            &archive,
        )?;
        let mut lab = Self::running(format!("localhost:{port}"), Place::Jvm(process));
        lab.lifetime = lifetime;
        Ok(lab)
    }

    fn start_container(
        cache: &Cache,
        docker: &Docker,
        port: u16,
        lifetime: Lifetime,
    ) -> Result<Self> {
        let container = container()?;
        // One that has stopped would be in the way.
        docker.remove(&container)?;
        let keeper = match lifetime {
            Lifetime::Kept => None,
            Lifetime::Owned => {
                let after = format!("DOCKER_HOST='{}' docker rm -f -v {container}", docker.host);
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
        let mut lab = Self::running(
            format!("localhost:{port}"),
            Place::Docker { docker, container },
        );
        lab.keeper = keeper;
        lab.lifetime = lifetime;
        started.map(|()| lab)
    }

    /// Where it runs.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What its request log holds from this place on, and the place where the next look begins. A cluster of the user's has
    /// none that we could read.
    ///
    /// # Errors
    /// When it has gone.
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

    /// Stops it, and removes its data.
    ///
    /// # Errors
    /// When it is the user's own cluster, or Docker refuses.
    pub fn down(&mut self) -> Result<()> {
        match &mut self.place {
            Place::Yours => bail!(
                "{} is your own cluster (BOOTSTRAP_SERVERS); the lab does not stop it",
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

/// In words: which Kafka and where.
impl std::fmt::Display for SharedKafka {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let version = crate::KAFKA_VERSION;
        let bootstrap = &self.bootstrap;
        match &self.place {
            Place::Yours => write!(f, "your own cluster at {bootstrap} (BOOTSTRAP_SERVERS)"),
            Place::Docker { container, .. } => {
                write!(
                    f,
                    "Kafka {version} in Docker, container {container}, on {bootstrap}"
                )
            }
            Place::Jvm(process) => {
                let pid = process.pid().map(|pid| pid.to_string()).unwrap_or_default();
                write!(
                    f,
                    "Kafka {version} in a plain JVM, process {pid}, on {bootstrap}"
                )
            }
        }
    }
}

/// `kafka-broker`, as the slides call it; with another port, a name of its own.
fn container() -> Result<String> {
    Ok(match port()? {
        9092 => "kafka-broker".to_string(),
        other => format!("kafka-broker-{other}"),
    })
}

/// The name of the folder that the lab's JVM works in.
fn jvm_folder(port: u16) -> String {
    format!("lab-{port}")
}
