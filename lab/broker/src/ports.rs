//! Where a broker listens. Always on loopback.

use std::net::TcpListener;
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result};

/// The ports of one broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// For clients.
    pub client: u16,
    /// For clients that must come through something in between.
    pub gate: Option<GatePorts>,
}

/// A second listener, which tells clients to come to another port than its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatePorts {
    /// Where the broker listens.
    pub inside: u16,
    /// Where it tells clients to go.
    pub outside: u16,
}

impl Ports {
    /// One listener, on this port.
    pub fn client(port: u16) -> Self {
        Self {
            client: port,
            gate: None,
        }
    }

    /// Free ports; with a second listener if there is a gate at `outside`.
    ///
    /// # Errors
    /// When loopback cannot be listened on.
    pub fn free(outside: Option<u16>) -> Result<Self> {
        let inside = free_port(PRIVATE)?;
        Ok(Self {
            client: free_port(PRIVATE)?,
            gate: outside.map(|outside| GatePorts { inside, outside }),
        })
    }

    /// Kafka's `listeners`, at this address.
    pub fn listeners(&self, address: &str) -> String {
        let mut listeners = format!("CLIENT://{address}:{}", self.client);
        if let Some(gate) = self.gate {
            listeners += &format!(",GATE://{address}:{}", gate.inside);
        }
        listeners
    }

    /// Kafka's `advertised.listeners`.
    pub fn advertised(&self) -> String {
        let mut advertised = format!("CLIENT://127.0.0.1:{}", self.client);
        if let Some(gate) = self.gate {
            advertised += &format!(",GATE://127.0.0.1:{}", gate.outside);
        }
        advertised
    }
}

/// Between choosing a free port and listening on it, another process may take it.
pub const PORT_ATTEMPTS: u32 = 5;

/// Where private brokers listen: below what Linux and macOS give to outgoing connections and to whoever asks for any port.
/// Those would take a port again between our finding it and a broker's listening on it.
pub const PRIVATE: Range<u16> = 16_384..32_768;

/// A port among these that nothing listens on at this moment, and that was not given to anybody in this process lately.
///
/// # Errors
/// When there is none.
pub fn free_port(among: Range<u16>) -> Result<u16> {
    // From here on, one after the other. Another process begins elsewhere.
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(rand::random()));
    let all = u16::try_from(among.len())?;
    std::iter::repeat_with(|| among.start + NEXT.fetch_add(1, Ordering::Relaxed) % all)
        .take(among.len())
        .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        .context("no port of loopback can be listened on")
}
