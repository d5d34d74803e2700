//! A private Kafka on a free port.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::Cache;
use crate::jvm::{PortTaken, Process, reap};
use crate::keeper::{Folder, Lifetime};
use crate::ports::{PORT_ATTEMPTS, Ports};
use crate::prepared::Prepared;
use crate::request_log::{Request, read};
use crate::way::Way;

/// A Kafka that we started, for ourselves. It ends when this is dropped, or when this process dies.
#[derive(Debug)]
pub struct Broker {
    ports: Ports,
    bootstrap: String,
    way: String,
    ready_after: Duration,
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    /// A JVM, or a container that Docker runs for us.
    Process(Process),
    #[cfg(feature = "testcontainers")]
    Container(Box<crate::private_container::PrivateContainer>),
}

impl Broker {
    /// Starts one, in Docker where it answers (by testcontainers with the feature of that name), or else in a plain JVM.
    ///
    /// # Errors
    /// When neither can be had, or it does not become ready; on Ctrl-C.
    pub fn start() -> Result<Self> {
        Self::start_with(None)
    }

    /// As [`Broker::start`], with a second listener that tells clients to come to port `gate`, where something passes on
    /// what they say to [`Broker::behind_gate`].
    ///
    /// # Errors
    /// As there.
    pub fn start_behind(gate: u16) -> Result<Self> {
        Self::start_with(Some(gate))
    }

    fn start_with(gate: Option<u16>) -> Result<Self> {
        let way = Way::for_private()?;
        let start = Instant::now();
        let (ports, inner) = match &way {
            #[cfg(feature = "testcontainers")]
            Way::Docker(_) => on_free_ports(gate, |ports| {
                crate::private_container::PrivateContainer::start(ports)
                    .map(|container| Inner::Container(Box::new(container)))
            })?,
            #[cfg(not(feature = "testcontainers"))]
            Way::Docker(docker) => {
                let cache = Cache::open()?;
                reap(&cache)?;
                on_free_ports(gate, |ports| {
                    Process::start_container(docker, &cache, ports).map(Inner::Process)
                })?
            }
            Way::Jvm(java) => {
                let cache = Cache::open()?;
                reap(&cache)?;
                let prepared = Prepared::get(&cache, java.clone())?;
                let archive = prepared.use_archive();
                on_free_ports(gate, |ports| {
                    let (folder, lifetime) = (Folder::Fresh, Lifetime::Owned);
                    Process::start(&prepared, &cache, folder, ports, lifetime, &archive)
                        .map(Inner::Process)
                })?
            }
            other => bail!("a private broker cannot be started in {other}"),
        };
        Ok(Self {
            ports,
            bootstrap: format!("127.0.0.1:{}", ports.client),
            way: way.to_string(),
            ready_after: start.elapsed(),
            inner,
        })
    }

    /// The port of the listener behind the gate, if there is one.
    pub fn behind_gate(&self) -> Option<u16> {
        self.ports.gate.map(|gate| gate.inside)
    }

    /// `127.0.0.1:PORT`: a name might stand for addresses that a container does not have.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// What Kafka's request log holds from this place on, and the place where the next look begins. `wanted` is asked with
    /// each line as it was logged: most of them are of requests of our own, and JSON is slow to read.
    ///
    /// # Errors
    /// When the broker has gone.
    pub fn requests(
        &self,
        from: usize,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(Vec<Request>, usize)> {
        let log = match &self.inner {
            Inner::Process(process) => process.request_log(from)?,
            #[cfg(feature = "testcontainers")]
            Inner::Container(container) => {
                container.output()?.get(from..).unwrap_or_default().to_vec()
            }
        };
        Ok(read(&log, from, wanted))
    }
}

/// In words: which Kafka, where, and how long it took.
impl std::fmt::Display for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Kafka {} in {}, on {}, ready after {:.1} s",
            crate::KAFKA_VERSION,
            self.way,
            self.bootstrap,
            self.ready_after.as_secs_f32()
        )
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        match &mut self.inner {
            Inner::Process(process) => process.end(),
            #[cfg(feature = "testcontainers")]
            Inner::Container(_) => {}
        }
    }
}

fn on_free_ports<T>(gate: Option<u16>, start: impl Fn(Ports) -> Result<T>) -> Result<(Ports, T)> {
    for _ in 1..PORT_ATTEMPTS {
        let ports = Ports::free(gate)?;
        match start(ports) {
            Err(error) if error.is::<PortTaken>() => {}
            other => return Ok((ports, other?)),
        }
    }
    let ports = Ports::free(gate)?;
    Ok((ports, start(ports)?))
}
