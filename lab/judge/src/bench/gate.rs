//! A gate between a program and its broker: it lets every request through, but holds those of one kind back for as long
//! as one likes. What a program does while its record or its commit is not acknowledged can then be seen without luck.

use std::collections::{BTreeSet, HashMap};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use parking_lot::{Condvar, Mutex};

/// Kafka's own limit for a request (`socket.request.max.bytes`).
const LONGEST: u32 = 100 * 1024 * 1024;

const MOST_CONNECTIONS: usize = 32;

/// A kind of request, by its key in Kafka's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    Produce = 0,
    OffsetCommit = 8,
    Heartbeat = 12,
    EndTxn = 26,
}

/// What clients of the lab ask for, by key: produce, fetch, metadata, offsets, groups, transactions, telemetry. All else
/// (deleting topics, changing settings) may leave traces on a broker.
const ORDINARY: &[i16] = &[
    0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 22, 23, 24, 25, 26, 28, 68, 69, 71, 72,
];

impl Request {
    /// In words, for a reader.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Produce => "records",
            Self::OffsetCommit => "commits",
            Self::Heartbeat => "heartbeats",
            Self::EndTxn => "ends of transactions",
        }
    }
}

/// A listener on loopback that passes everything on to a broker. It closes when it is dropped.
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
    /// The kind that is held back now.
    held: Option<Request>,
    /// How many requests have come to a closed gate since it was closed.
    waiting: usize,
    /// The kind that was turned away last, and the number of the last connection that was admitted by then.
    turned_away: Option<(Request, u64)>,
    /// The kinds of requests that came, and how many bytes.
    keys: BTreeSet<i16>,
    bytes: u64,
    /// Those that are open, by a number of their own.
    connections: HashMap<u64, TcpStream>,
    admitted: u64,
    is_gone: bool,
}

impl Gate {
    /// Opens a gate on this listener, to the broker's port.
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
                    // Too many files are open, by whoever it may be. It passes.
                    thread::sleep(Duration::from_millis(50));
                    continue;
                };
                let Some(number) = shared.admit(&client) else {
                    continue;
                };
                let state = Arc::clone(&shared);
                thread::spawn(move || {
                    // A connection that breaks is the program's or the broker's affair.
                    let _ = connect(number, client, broker, &state);
                    state.inner.lock().connections.remove(&number);
                });
            }
        });
        Ok(Self { port, state })
    }

    /// What a program connects to.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Holds back every request of this kind from now on.
    pub fn hold(&self, request: Request) {
        let mut inner = self.state.inner.lock();
        inner.held = Some(request);
        inner.waiting = 0;
    }

    /// Has a request come since, that is held back?
    pub fn is_holding(&self) -> bool {
        self.state.inner.lock().waiting > 0
    }

    /// Lets everything through again.
    pub fn release(&self) {
        self.state.inner.lock().held = None;
        self.state.changed.notify_all();
    }

    /// As [`Gate::release`], but what was held back never reaches the broker, nor does what is still on its way: connections
    /// that there are now are closed when a request of this kind comes on them.
    pub fn turn_away(&self) {
        let mut inner = self.state.inner.lock();
        inner.turned_away = inner.held.map(|held| (held, inner.admitted));
        drop(inner);
        self.release();
    }

    /// Has anything come that clients of the lab do not ask for, such as deleting a topic?
    pub fn is_meddled_with(&self) -> bool {
        !is_ordinary(&self.state.inner.lock().keys)
    }

    /// Closes every connection and lets everything through: whoever comes next finds the gate as if it were new.
    /// Returns how many bytes had come, and whether all of it was what clients of the lab ask for.
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
        // The listener waits for somebody to come.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl State {
    /// A client has come. Nobody needs as many connections as would use up ours.
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

    /// Waits while requests with this key are held back. `number` is the connection's.
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
            bail!("turned away");
        }
        Ok(())
    }
}

/// Passes on what the client asks, request by request, and what the broker answers, as it comes.
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

/// A request is its length in four bytes, then its key in two, then the rest.
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
            bail!("no client sends so much at once");
        }
        if announced < 2 {
            bail!("no request is as short as that");
        }
        let mut key = [0; 2];
        client.read_exact(&mut key)?;
        state.pass(number, i16::from_be_bytes(key), announced)?;
        // No more of it is in memory than is under way.
        broker.write_all(&[&length[..], &key].concat())?;
        let rest = u64::from(announced) - 2;
        if std::io::copy(&mut Read::by_ref(client).take(rest), broker)? < rest {
            bail!("the client has gone");
        }
    }
}
