//! A private Kafka on free ports.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::Cache;
#[cfg(not(feature = "testcontainers"))]
use crate::jvm::Process;
use crate::jvm::reap;
use crate::ports::{Ports, on_free_ports};
use crate::prepare::prepare;
use crate::request_log::{Request, read};
use crate::shared_jvm::Hosted;
use crate::version::version;
use crate::way::Way;

/// A Kafka of our own. It ends when this value is dropped or when this process ends.
#[derive(Debug)]
pub struct Broker {
    ports: Ports,
    bootstrap: String,
    way: String,
    version: String,
    ready_after: Duration,
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    /// The process of `docker run`.
    #[cfg(not(feature = "testcontainers"))]
    Process(Process),
    /// A broker in a JVM that may have several.
    Hosted(Hosted),
    #[cfg(feature = "testcontainers")]
    Container(Box<crate::private_container::PrivateContainer>),
}

impl Broker {
    /// Starts a Kafka: in Docker if Docker answers, otherwise in a plain JVM. With the feature `testcontainers`, it starts the
    /// container with the crate of that name.
    ///
    /// # Errors
    /// If there is neither Docker nor Java, if Kafka does not become ready, or on Ctrl-C.
    pub fn start() -> Result<Self> {
        Self::start_with(None)
    }

    /// Starts a Kafka like [`Broker::start`], but with a second listener, whose port is [`Broker::behind_gate`]. This listener
    /// tells clients to connect to the port `gate`. Something must listen there and pass on what the clients send.
    ///
    /// # Errors
    /// If there is neither Docker nor Java, if Kafka does not become ready, or on Ctrl-C.
    pub fn start_behind(gate: u16) -> Result<Self> {
        Self::start_with(Some(gate))
    }

    fn start_with(gate: Option<u16>) -> Result<Self> {
        let way = Way::for_private()?;
        let start = Instant::now();
        let mut kafka = version().to_string();
        let (ports, inner) = match &way {
            #[cfg(feature = "testcontainers")]
            Way::Docker(_) => on_free_ports(None, gate, |ports| {
                crate::private_container::PrivateContainer::start(ports)
                    .map(|container| Inner::Container(Box::new(container)))
            })?,
            #[cfg(not(feature = "testcontainers"))]
            Way::Docker(docker) => {
                let cache = Cache::open()?;
                reap(&cache)?;
                on_free_ports(None, gate, |ports| {
                    Process::start_container(docker, &cache, ports).map(Inner::Process)
                })?
            }
            Way::Jvm(java) => {
                let cache = Cache::open()?;
                reap(&cache)?;
                let prepared = prepare(&cache, java.clone())?;
                kafka.clone_from(&prepared.version);
                on_free_ports(None, gate, |ports| {
                    Hosted::start(&prepared, &cache, ports).map(Inner::Hosted)
                })?
            }
            other => bail!("a private broker needs Docker or a JVM, not {other}"),
        };
        Ok(Self {
            ports,
            bootstrap: format!("127.0.0.1:{}", ports.client),
            way: way.to_string(),
            version: kafka,
            ready_after: start.elapsed(),
            inner,
        })
    }

    /// The port of the second listener; `None` if the broker was started without a gate.
    pub fn behind_gate(&self) -> Option<u16> {
        self.ports.gate.map(|gate| gate.inside)
    }

    /// The address for clients, `127.0.0.1:PORT`. It has no name, because a name such as `localhost` may also stand for an
    /// address on which a container does not listen.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Reads Kafka's request log from the position `from` on, in bytes. Returns the requests, and the position from which to
    /// read next time.
    ///
    /// `wanted` gets each line of the log and chooses which ones to parse. Most lines are about our own requests, and parsing
    /// JSON is slow.
    ///
    /// # Errors
    /// If the broker no longer exists.
    pub fn requests(
        &self,
        from: usize,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(Vec<Request>, usize)> {
        let log = match &self.inner {
            #[cfg(not(feature = "testcontainers"))]
            Inner::Process(process) => process.request_log(from)?,
            Inner::Hosted(hosted) => hosted.request_log(from)?,
            #[cfg(feature = "testcontainers")]
            Inner::Container(container) => {
                container.output()?.get(from..).unwrap_or_default().to_vec()
            }
        };
        Ok(read(&log, from, wanted))
    }
}

/// The version of Kafka, where it runs, and how long it took to start.
impl std::fmt::Display for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Kafka {} in {}, on {}, ready after {:.1} s",
            self.version,
            self.way,
            self.bootstrap,
            self.ready_after.as_secs_f32()
        )
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        match &mut self.inner {
            #[cfg(not(feature = "testcontainers"))]
            Inner::Process(process) => process.end(),
            Inner::Hosted(_) => {}
            #[cfg(feature = "testcontainers")]
            Inner::Container(_) => {}
        }
    }
}
