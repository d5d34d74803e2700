//! A gate between a program and its broker: it lets every request through, but holds those of one kind back for as long
//! as one likes. What a program does while its record or its commit is not acknowledged can then be seen without luck.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Result;

/// A kind of request, by its key in Kafka's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    Produce = 0,
    OffsetCommit = 8,
}

/// A listener on loopback that passes everything on to a broker.
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
        // Lives as long as the process: a listener that waits costs nothing.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                thread::spawn(move || {
                    // A connection that breaks is the program's or the broker's affair.
                    let _ = connect(client, broker, &state);
                });
            }
        });
        Ok(Self { port, state })
    }

    /// What a program connects to.
    pub fn bootstrap(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Holds back every request of this kind from now on.
    pub fn hold(&self, request: Request) {
        let mut inner = self.state.lock();
        inner.held = Some(request);
        inner.waiting = 0;
    }

    /// Has a request come since, that is held back?
    pub fn is_holding(&self) -> bool {
        self.state.lock().waiting > 0
    }

    /// Lets everything through again.
    pub fn release(&self) {
        self.state.lock().held = None;
        self.state.changed.notify_all();
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while requests with this key are held back.
    fn pass(&self, key: i16) {
        let mut inner = self.lock();
        let is_held = |inner: &Inner| inner.held.is_some_and(|held| held as i16 == key);
        if is_held(&inner) {
            inner.waiting += 1;
        }
        while is_held(&inner) {
            inner = self
                .changed
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Passes on what the client asks, request by request, and what the broker answers, as it comes.
fn connect(mut client: TcpStream, broker: u16, state: &State) -> Result<()> {
    let mut broker = TcpStream::connect(("127.0.0.1", broker))?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    let (mut answers, mut to_client) = (broker.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let passed = pass_requests(&mut client, &mut broker, state);
    let _ = broker.shutdown(Shutdown::Both);
    passed
}

/// A request is its length in four bytes, then its key in two, then the rest.
fn pass_requests(client: &mut TcpStream, broker: &mut TcpStream, state: &State) -> Result<()> {
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length)?;
        let mut request = vec![0; usize::try_from(u32::from_be_bytes(length))?];
        client.read_exact(&mut request)?;
        if let [high, low, ..] = request[..] {
            state.pass(i16::from_be_bytes([high, low]));
        }
        broker.write_all(&length)?;
        broker.write_all(&request)?;
    }
}
