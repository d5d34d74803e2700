//! Where a broker listens. Always on loopback.

use std::net::TcpListener;

use anyhow::Result;

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
        let inside = free_port()?;
        Ok(Self {
            client: free_port()?,
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

/// A port that nothing listens on at this moment.
///
/// # Errors
/// When loopback cannot be listened on at all.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
