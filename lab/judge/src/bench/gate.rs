//! A gate between a program and its broker. It lets requests through, but it can hold back all requests of one kind for
//! any time. A check can thus reliably see what a program does while its record or its commit is not acknowledged.

use std::collections::{BTreeSet, HashMap};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use parking_lot::{Condvar, Mutex};

/// The longest request that Kafka accepts by default, in bytes (`socket.request.max.bytes`).
const LONGEST: u32 = 100 * 1024 * 1024;

/// The most connections that are open through the gate at a time.
const MOST_CONNECTIONS: usize = 32;

/// A kind of request that the gate can hold back, with its key in Kafka's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    Produce = 0,
    OffsetCommit = 8,
    Heartbeat = 12,
    EndTxn = 26,
}

/// The keys of all requests that the lab's programs need: produce, fetch, metadata, offsets, groups, transactions,
/// telemetry. Other requests, such as deleting a topic or changing a setting, may leave traces on the broker.
const ORDINARY: &[i16] = &[
    0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 22, 23, 24, 25, 26, 28, 68, 69, 71, 72,
];

impl RequestKind {
    /// Several requests of this kind, in words for a reader.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Produce => "records",
            Self::OffsetCommit => "commits",
            Self::Heartbeat => "heartbeats",
            Self::EndTxn => "ends of transactions",
        }
    }
}

/// A listener on the loopback address that passes everything on to a broker. Dropping it closes it.
#[derive(Debug)]
pub struct Gate {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    /// The kind that is held back now, if any.
    held: Option<RequestKind>,
    /// How many requests have been held back since [`Gate::hold`] was last called.
    waiting: usize,
    /// The kind that was turned away last, and the number of the newest connection at that time.
    turned_away: Option<(RequestKind, u64)>,
    /// The keys of all requests that came, and the sum of their lengths in bytes.
    keys: BTreeSet<i16>,
    bytes: u64,
    /// The open connections by their numbers. The first connection has the number 1.
    connections: HashMap<u64, TcpStream>,
    /// How many connections were admitted so far, and so the number of the newest one.
    admitted: u64,
    /// The gate was dropped.
    is_gone: bool,
}

impl Gate {
    /// Opens a gate from this listener to the broker's port on the loopback address.
    ///
    /// # Errors
    /// When the listener has no address.
    pub fn open(listener: TcpListener, broker: u16) -> Result<Self> {
        let port = listener.local_addr()?.port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                if shared.inner.lock().is_gone {
                    return;
                }
                let Ok(client) = client else {
                    // Some process has too many files open. That passes.
                    thread::sleep(Duration::from_millis(50));
                    continue;
                };
                let Some(number) = shared.admit(&client) else {
                    continue;
                };
                let state = Arc::clone(&shared);
                thread::spawn(move || {
                    // A connection may break at any time. That concerns the program or the broker, not the gate.
                    let _ = connect(number, client, broker, &state);
                    state.inner.lock().connections.remove(&number);
                });
            }
        });
        Ok(Self { port, state })
    }

    /// The address that a program connects to.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Holds back every request of this kind from now on.
    pub fn hold(&self, kind: RequestKind) {
        let mut inner = self.state.inner.lock();
        inner.held = Some(kind);
        inner.waiting = 0;
    }

    /// Whether the gate has held back any request since [`Gate::hold`] was last called.
    pub fn is_holding(&self) -> bool {
        self.state.inner.lock().waiting > 0
    }

    /// Lets everything through, including the requests that were held back.
    pub fn release(&self) {
        self.state.inner.lock().held = None;
        self.state.changed.notify_all();
    }

    /// Lets everything through, except the requests that were held back and those of the same kind that are still on
    /// their way: they never reach the broker. For this, each of the present connections is closed as soon as a request
    /// of this kind comes on it.
    pub fn turn_away(&self) {
        let mut inner = self.state.inner.lock();
        inner.turned_away = inner.held.map(|held| (held, inner.admitted));
        drop(inner);
        self.release();
    }

    /// Whether a request has come that the lab's programs do not need, such as deleting a topic.
    pub fn is_meddled_with(&self) -> bool {
        !is_ordinary(&self.state.inner.lock().keys)
    }

    /// Closes every connection and lets everything through, so that the gate is like new. Returns how many bytes had
    /// come, and whether all requests were of kinds that the lab's programs need.
    pub fn clear(&self) -> (u64, bool) {
        self.turn_away();
        let mut inner = self.state.inner.lock();
        for (_, connection) in std::mem::take(&mut inner.connections) {
            let _ = connection.shutdown(Shutdown::Both);
        }
        let keys = std::mem::take(&mut inner.keys);
        let bytes = std::mem::take(&mut inner.bytes);
        (bytes, is_ordinary(&keys))
    }
}

fn is_ordinary(keys: &BTreeSet<i16>) -> bool {
    keys.iter().all(|key| ORDINARY.contains(key))
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.state.inner.lock().is_gone = true;
        self.clear();
        // The thread waits for the next connection. This one wakes it, so that it ends.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl State {
    /// Gives a new connection its number. Returns `None` if too many connections are open: a program could use up the
    /// file descriptors of this process.
    fn admit(&self, client: &TcpStream) -> Option<u64> {
        let mut inner = self.inner.lock();
        if inner.connections.len() >= MOST_CONNECTIONS {
            return None;
        }
        inner.admitted += 1;
        let number = inner.admitted;
        inner.connections.insert(number, client.try_clone().ok()?);
        Some(number)
    }

    /// Waits while requests with this key are held back. `number` is the number of the connection, `length` the length
    /// of the request in bytes.
    ///
    /// # Errors
    /// When the request is turned away.
    fn pass(&self, number: u64, key: i16, length: u32) -> Result<()> {
        let mut inner = self.inner.lock();
        inner.keys.insert(key);
        inner.bytes += u64::from(length);
        let is_held = |inner: &Inner| inner.held.is_some_and(|held| held as i16 == key);
        let is_turned_away = |inner: &Inner| {
            let away = inner.turned_away;
            away.is_some_and(|(kind, last)| kind as i16 == key && number <= last)
        };
        if is_held(&inner) && !is_turned_away(&inner) {
            inner.waiting += 1;
            self.changed
                .wait_while(&mut inner, |inner| is_held(inner) && !is_turned_away(inner));
        }
        if is_turned_away(&inner) {
            bail!("the request was turned away");
        }
        Ok(())
    }
}

/// Passes on the client's requests one by one, and the broker's answers as they come.
fn connect(number: u64, mut client: TcpStream, broker: u16, state: &State) -> Result<()> {
    let mut broker = TcpStream::connect(("127.0.0.1", broker))?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    let (mut answers, mut to_client) = (broker.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let passed = pass_requests(number, &mut client, &mut broker, state);
    let _ = broker.shutdown(Shutdown::Both);
    passed
}

/// Passes on requests until the client closes the connection. A request consists of its length in four bytes, its key
/// in two bytes, and the rest.
fn pass_requests(
    number: u64,
    client: &mut TcpStream,
    broker: &mut TcpStream,
    state: &State,
) -> Result<()> {
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length)?;
        let announced = u32::from_be_bytes(length);
        if announced > LONGEST {
            bail!("a request of {announced} bytes is too long");
        }
        if announced < 2 {
            bail!("a request of {announced} bytes is too short");
        }
        let mut key = [0; 2];
        client.read_exact(&mut key)?;
        state.pass(number, i16::from_be_bytes(key), announced)?;
        // The rest is copied piece by piece, so a long request needs little memory.
        broker.write_all(&[&length[..], &key].concat())?;
        let rest = u64::from(announced) - 2;
        if std::io::copy(&mut Read::by_ref(client).take(rest), broker)? < rest {
            bail!("the client closed the connection within a request");
        }
    }
}
