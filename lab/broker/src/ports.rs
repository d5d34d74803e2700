//! The ports on which a broker listens. They are always on loopback.

use std::net::TcpListener;
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Error, Result};

/// The ports of one broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// For clients.
    pub client: u16,
    /// For the broker as its own controller. A container has a port of its own for this and does not use this one.
    pub controller: u16,
    /// For clients that connect through a gate.
    pub gate: Option<GatePorts>,
}

/// The ports of a second listener. It tells clients to connect to another port than its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatePorts {
    /// The port on which the broker listens.
    pub inside: u16,
    /// The port to which the broker sends clients.
    pub outside: u16,
}

/// Another process uses the port already.
#[derive(Debug, PartialEq, Eq)]
pub struct PortTaken(pub u16);

impl std::error::Error for PortTaken {}

impl std::fmt::Display for PortTaken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "port {} is taken by another program", self.0)
    }
}

/// How often something is started before we give up, each time on other ports.
const PORT_ATTEMPTS: u32 = 5;

/// Starts something on free ports.
///
/// Another process may take a free port before `start` uses it. Then this tries again with other ports, five times in all.
/// If `client` names the port for clients, that one port does not change.
///
/// # Errors
/// If `start` fails: with [`PortTaken`] if the port `client` is taken, or another port was taken five times.
pub fn on_free_ports<T>(
    client: Option<u16>,
    gate: Option<u16>,
    start: impl Fn(Ports) -> Result<T>,
) -> Result<(Ports, T)> {
    let mut left = PORT_ATTEMPTS;
    loop {
        left -= 1;
        let ports = Ports::free(client, gate)?;
        match start(ports) {
            Err(error) if left > 0 && can_avoid(&error, client) => {}
            other => return Ok((ports, other?)),
        }
    }
}

/// Whether other ports may help: a port was taken, and not the one that cannot change.
fn can_avoid(error: &Error, fixed: Option<u16>) -> bool {
    error
        .downcast_ref::<PortTaken>()
        .is_some_and(|PortTaken(port)| Some(*port) != fixed)
}

impl Ports {
    /// Free ports. `client` is the port for clients, if it must be a certain one. If there is a gate, `gate` is its port.
    ///
    /// # Errors
    /// If no port is free.
    pub fn free(client: Option<u16>, gate: Option<u16>) -> Result<Self> {
        let inside = free_port(PRIVATE)?;
        let gate = gate.map(|outside| GatePorts { inside, outside });
        Ok(Self {
            client: client.map_or_else(|| free_port(PRIVATE), Ok)?,
            controller: free_port(PRIVATE)?,
            gate,
        })
    }

    /// Those on which the broker listens.
    pub fn all(self) -> impl Iterator<Item = u16> {
        let inside = self.gate.map(|gate| gate.inside);
        [self.client, self.controller].into_iter().chain(inside)
    }

    /// Kafka's setting `listeners`, with the client's listeners on this address.
    pub fn listeners(&self, address: &str) -> String {
        let mut listeners = format!("CLIENT://{address}:{}", self.client);
        if let Some(gate) = self.gate {
            listeners += &format!(",GATE://{address}:{}", gate.inside);
        }
        listeners
    }

    /// Kafka's setting `advertised.listeners`.
    pub fn advertised(&self) -> String {
        let mut advertised = format!("CLIENT://127.0.0.1:{}", self.client);
        if let Some(gate) = self.gate {
            advertised += &format!(",GATE://127.0.0.1:{}", gate.outside);
        }
        advertised
    }
}

/// The ports for private brokers. Linux and macOS use higher ones for outgoing connections, and for processes that ask for any
/// free port. They could take such a port after we have found it free and before the broker listens on it.
const PRIVATE: Range<u16> = 16_384..32_768;

/// Returns a port in the range `among` on which nothing listens at this moment. It does not return the same port again soon.
///
/// # Errors
/// If no port is free.
pub fn free_port(among: Range<u16>) -> Result<u16> {
    // We take one port after the other, starting anywhere. So two processes are unlikely to try the same ports.
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(rand::random()));
    let all = u16::try_from(among.len())?;
    std::iter::repeat_with(|| among.start + NEXT.fetch_add(1, Ordering::Relaxed) % all)
        .take(among.len())
        .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        .with_context(|| {
            format!(
                "all ports of 127.0.0.1 from {} to {} are taken; stop some of the programs that listen there",
                among.start,
                among.end - 1
            )
        })
}
