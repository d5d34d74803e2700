//! A gate between a program and its broker. It lets requests and their answers through, but it can hold back those of some
//! kinds for any time, and it can lose an answer. A check can thus reliably see what a program does while its record or its
//! commit is not acknowledged, and it can kill the program at any position on the wire.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use cluster::{Changes, MARKERS};
use parking_lot::{Condvar, Mutex, MutexGuard};

/// The longest request that Kafka accepts by default, in bytes (`socket.request.max.bytes`).
const LONGEST: u32 = 100 * 1024 * 1024;

/// How many bytes of a request the gate reads: the key of its kind (2 bytes), its version (2), and its correlation id (4).
const HEADER: u32 = 8;

/// The most requests of a connection that have no answer yet, and the most that are remembered when they never get one.
const MOST_UNANSWERED: usize = 10_000;

/// The most connections that are open through the gate at a time.
const MOST_CONNECTIONS: usize = 32;

/// A kind of request that the gate can hold back, with its key in Kafka's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    Produce = 0,
    OffsetCommit = 8,
    AddPartitionsToTxn = 24,
    AddOffsetsToTxn = 25,
    EndTxn = 26,
    TxnOffsetCommit = 28,
}

/// What of a request is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The request: the broker does not know of it.
    Request,
    /// The answer: the broker has done what was asked, and the program does not know.
    Answer,
}

/// What the gate holds back, or loses.
#[derive(Clone, Copy, Debug)]
pub struct Hold {
    pub kind: RequestKind,
    /// How many requests of this kind pass first.
    pub after: usize,
    pub part: Part,
    /// Whether it is only the next one. Otherwise, it is every one that comes then.
    pub alone: bool,
}

/// The lab's programs need requests with these keys and those in [`WITHOUT_CHANGE`]. These change records or committed offsets:
/// produce, commit, take over a transactional id, end a transaction, commit in a transaction. Others, such as deleting a topic or
/// changing a setting, may leave traces on the broker.
const WITH_CHANGE: &[i16] = &[0, 8, 22, 26, 28];

/// The keys of requests that change neither records nor committed offsets: fetch, metadata, reading offsets, joining and leaving
/// groups, beginning transactions, telemetry, share groups (KIP-932), whose state is none of a consumer group.
const WITHOUT_CHANGE: &[i16] = &[
    1, 2, 3, 9, 10, 11, 12, 13, 14, 15, 16, 18, 23, 24, 25, 68, 69, 71, 72, 76, 77, 78, 79,
];

/// The keys of requests whose effects come after their answers: the markers of a transaction are written when it has ended (EndTxn,
/// or InitProducerId, which aborts what an earlier producer left open).
const LATE: &[i16] = &[22, 26];

impl RequestKind {
    /// Several requests of this kind, in words for a reader.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Produce => "records",
            Self::OffsetCommit => "commits",
            Self::AddPartitionsToTxn => "partitions for transactions",
            Self::AddOffsetsToTxn => "groups for transactions",
            Self::EndTxn => "ends of transactions",
            Self::TxnOffsetCommit => "commits in transactions",
        }
    }

    /// Kafka's name for such a request.
    pub fn name(self) -> &'static str {
        match self {
            Self::Produce => "Produce",
            Self::OffsetCommit => "OffsetCommit",
            Self::AddPartitionsToTxn => "AddPartitionsToTxn",
            Self::AddOffsetsToTxn => "AddOffsetsToTxn",
            Self::EndTxn => "EndTxn",
            Self::TxnOffsetCommit => "TxnOffsetCommit",
        }
    }
}

impl Hold {
    /// Every request of this kind.
    pub fn all(kind: RequestKind) -> Self {
        Self {
            kind,
            after: 0,
            part: Part::Request,
            alone: false,
        }
    }

    /// Whether this is about requests with this key in Kafka's protocol.
    fn concerns(&self, key: i16) -> bool {
        self.kind as i16 == key
    }

    /// Whether this is about the request of this number, counted from 1.
    fn includes(&self, number: usize) -> bool {
        if self.alone {
            number == self.after + 1
        } else {
            number > self.after
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
    /// What is held back now, if anything.
    hold: Option<Hold>,
    /// Whether an answer that should be held back is lost instead.
    loses: bool,
    /// How many requests of its kind have come since [`Gate::hold`] was last called, and whether any was held back, or its
    /// answer lost.
    came: usize,
    has_held: bool,
    /// How many times what was held back was let through.
    releases: u64,
    /// What was turned away last, and the number of the newest connection at that time.
    turned_away: Option<(Hold, u64)>,
    /// The keys of all requests that came, and the sum of their lengths in bytes.
    keys: BTreeSet<i16>,
    bytes: u64,
    /// How many requests the broker has done that change records, and how many that change committed offsets.
    record_changes: u64,
    commit_changes: u64,
    /// Until when an effect of a request may come late.
    late_until: Option<Instant>,
    /// The requests whose answers did not reach their client before its connection was closed.
    undelivered: BTreeSet<Unanswered>,
    /// The open connections by their numbers. The first connection has the number 1.
    connections: HashMap<u64, TcpStream>,
    /// How many connections were admitted so far, and so the number of the newest one.
    admitted: u64,
    /// The gate was dropped.
    is_gone: bool,
}

/// A request whose answer never reached its client: the port from which the gate connected to the broker, and the correlation
/// id.
pub type Unanswered = (u16, i32);

/// A request whose answer has not come yet.
#[derive(Clone, Copy, Debug)]
struct Asked {
    key: i16,
    correlation: i32,
    /// Whether its answer must not reach the program for now.
    is_withheld: bool,
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

    /// Holds this back from now on.
    pub fn hold(&self, hold: Hold) {
        self.state.inner.lock().begin(hold, false);
    }

    /// Loses one answer to a request of this kind: the broker has done what was asked, and the connection is closed before
    /// the program knows. `after` others pass first.
    pub fn lose(&self, kind: RequestKind, after: usize) {
        let hold = Hold {
            kind,
            after,
            part: Part::Answer,
            alone: true,
        };
        self.state.inner.lock().begin(hold, true);
    }

    /// Whether anything was held back, or lost, since the gate was last told to.
    pub fn has_held(&self) -> bool {
        self.state.inner.lock().has_held
    }

    /// Whether a request has come whose answer will be held back or lost when it comes.
    pub fn is_coming(&self) -> bool {
        let inner = self.state.inner.lock();
        let hold = inner.hold.as_ref();
        !inner.has_held && hold.is_some_and(|hold| inner.came > hold.after)
    }

    /// How many connections clients have opened so far.
    pub fn connections_so_far(&self) -> u64 {
        self.state.inner.lock().admitted
    }

    /// Whether no client is connected, so that everything that clients sent has been passed on.
    pub fn is_idle(&self) -> bool {
        self.state.inner.lock().connections.is_empty()
    }

    /// Lets everything through, including what was held back.
    pub fn release(&self) {
        let mut inner = self.state.inner.lock();
        inner.hold = None;
        inner.releases += 1;
        drop(inner);
        self.state.changed.notify_all();
    }

    /// Lets everything through, except what was held back and requests of the same kind that are still on their way: they
    /// never arrive. For this, each of the present connections is closed as soon as such a request comes on it.
    pub fn turn_away(&self) {
        let mut inner = self.state.inner.lock();
        inner.turned_away = inner.hold.take().map(|hold| (hold, inner.admitted));
        drop(inner);
        self.release();
    }

    /// Whether a request has come that the lab's programs do not need, such as deleting a topic.
    pub fn is_meddled_with(&self) -> bool {
        !is_ordinary(&self.state.inner.lock().keys)
    }

    /// The requests whose answers did not reach their client before its connection was closed.
    pub fn undelivered(&self) -> BTreeSet<Unanswered> {
        self.state.inner.lock().undelivered.clone()
    }

    /// Returns a question that can be asked from anywhere: which changes have clients made to records and committed offsets so
    /// far?
    pub fn changes(&self) -> impl Fn() -> Changes + Send + Sync + use<> {
        let state = Arc::clone(&self.state);
        move || {
            let inner = state.inner.lock();
            let is_late = inner.late_until.is_some_and(|until| Instant::now() < until);
            Changes {
                of_records: inner.record_changes,
                of_commits: inner.commit_changes,
                are_settled: !is_late,
            }
        }
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
        inner.undelivered.clear();
        (bytes, is_ordinary(&keys))
    }
}

fn is_ordinary(keys: &BTreeSet<i16>) -> bool {
    keys.iter()
        .all(|key| WITH_CHANGE.contains(key) || WITHOUT_CHANGE.contains(key))
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

    /// Waits while the request is held back. `number` is the number of the connection, `length` the length of the request in
    /// bytes. Returns whether its answer must be withheld.
    ///
    /// # Errors
    /// When the request is turned away.
    fn pass(&self, number: u64, key: i16, length: u32) -> Result<bool> {
        let mut inner = self.inner.lock();
        inner.keys.insert(key);
        inner.bytes += u64::from(length);
        if inner.turns_away(number, key) {
            bail!("the request was turned away");
        }
        match inner.count(key) {
            None => Ok(false),
            Some(Part::Answer) => Ok(true),
            Some(Part::Request) => {
                inner.has_held = true;
                self.wait_for_release(&mut inner);
                if inner.turns_away(number, key) {
                    bail!("the request was turned away");
                }
                Ok(false)
            }
        }
    }

    /// Notes a change, if such a request makes one. `is_late` says whether it may come only in a moment.
    fn note_change(&self, key: i16, is_late: bool) {
        if WITHOUT_CHANGE.contains(&key) {
            return;
        }
        let mut inner = self.inner.lock();
        inner.record_changes += u64::from(key != RequestKind::OffsetCommit as i16);
        inner.commit_changes += u64::from(key != RequestKind::Produce as i16);
        if is_late {
            inner.late_until = Some(Instant::now() + MARKERS);
        }
    }

    /// Waits while the answer to such a request is held back.
    ///
    /// # Errors
    /// When the answer is lost.
    fn pass_answer(&self, number: u64, key: i16) -> Result<()> {
        let mut inner = self.inner.lock();
        if inner.turns_away(number, key) {
            bail!("the answer is lost");
        }
        if inner.hold.is_some_and(|hold| hold.concerns(key)) {
            inner.has_held = true;
            if inner.loses {
                bail!("the answer is lost");
            }
            self.wait_for_release(&mut inner);
        }
        if inner.turns_away(number, key) {
            bail!("the answer is lost");
        }
        Ok(())
    }

    fn wait_for_release(&self, inner: &mut MutexGuard<'_, Inner>) {
        let before = inner.releases;
        self.changed
            .wait_while(inner, |inner| inner.releases == before);
    }
}

impl Inner {
    fn begin(&mut self, hold: Hold, loses: bool) {
        self.hold = Some(hold);
        self.loses = loses;
        self.came = 0;
        self.has_held = false;
    }

    /// Counts a request, if it is of the kind that counts. Returns what of it is held back, if anything.
    fn count(&mut self, key: i16) -> Option<Part> {
        let hold = self.hold.filter(|hold| hold.concerns(key))?;
        self.came += 1;
        hold.includes(self.came).then_some(hold.part)
    }

    fn turns_away(&self, number: u64, key: i16) -> bool {
        let away = self.turned_away;
        away.is_some_and(|(hold, last)| hold.concerns(key) && number <= last)
    }
}

/// Passes on the client's requests and the broker's answers, one by one.
fn connect(number: u64, mut client: TcpStream, broker: u16, state: &Arc<State>) -> Result<()> {
    let mut broker = TcpStream::connect(("127.0.0.1", broker))?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    let (mut answers, mut to_client) = (broker.try_clone()?, client.try_clone()?);
    let asked = Arc::new(Mutex::new(VecDeque::new()));
    let (shared, waiting) = (Arc::clone(state), Arc::clone(&asked));
    let answering = thread::spawn(move || {
        let _ = pass_answers(number, &mut answers, &mut to_client, &waiting, &shared);
        let _ = to_client.shutdown(Shutdown::Both);
        let _ = answers.shutdown(Shutdown::Both);
    });
    let passed = pass_requests(number, &mut client, &mut broker, &asked, state);
    let _ = broker.shutdown(Shutdown::Both);
    let _ = answering.join();
    let port = broker.local_addr()?.port();
    let left = std::mem::take(&mut *asked.lock());
    // The broker may still do what these requests ask. Those that are sent with `acks=0` never get an answer.
    for one in &left {
        state.note_change(one.key, true);
    }
    let left = left.into_iter().map(|one| (port, one.correlation));
    let mut inner = state.inner.lock();
    if inner.undelivered.len() < MOST_UNANSWERED {
        inner.undelivered.extend(left);
    }
    drop(inner);
    passed
}

/// Passes on requests until the client closes the connection. A request consists of its length in four bytes, and of the
/// request itself.
fn pass_requests(
    number: u64,
    client: &mut TcpStream,
    broker: &mut TcpStream,
    asked: &Mutex<VecDeque<Asked>>,
    state: &State,
) -> Result<()> {
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length)?;
        let announced = u32::from_be_bytes(length);
        if announced > LONGEST {
            bail!("a request of {announced} bytes is too long");
        }
        if announced < HEADER {
            bail!("a request of {announced} bytes is too short");
        }
        let mut header = [0; HEADER as usize];
        client.read_exact(&mut header)?;
        let [k0, k1, _, _, correlation @ ..] = header;
        let key = i16::from_be_bytes([k0, k1]);
        let correlation = i32::from_be_bytes(correlation);
        let is_withheld = state.pass(number, key, announced)?;
        if asked.lock().len() >= MOST_UNANSWERED {
            bail!("too many requests without an answer");
        }
        asked.lock().push_back(Asked {
            key,
            correlation,
            is_withheld,
        });
        // The rest is copied piece by piece, so a long request needs little memory.
        broker.write_all(&[&length[..], &header].concat())?;
        copy(client, broker, u64::from(announced - HEADER))?;
        if key == RequestKind::Produce as i16 {
            // There is no answer to records that are sent with `acks=0`.
            state.note_change(key, false);
        }
    }
}

/// Passes on answers until the broker closes the connection, or an answer is lost. An answer consists of its length in four
/// bytes, the correlation id of its request, and the rest. A broker answers in the order of the requests, but a record that is
/// sent with `acks=0` gets no answer.
fn pass_answers(
    number: u64,
    broker: &mut TcpStream,
    client: &mut TcpStream,
    asked: &Mutex<VecDeque<Asked>>,
    state: &State,
) -> Result<()> {
    loop {
        let mut head = [0; 8];
        broker.read_exact(&mut head)?;
        let [l0, l1, l2, l3, correlation @ ..] = head;
        let rest = u32::from_be_bytes([l0, l1, l2, l3]).saturating_sub(4);
        let correlation = i32::from_be_bytes(correlation);
        let at = asked
            .lock()
            .iter()
            .position(|one| one.correlation == correlation);
        let answered = at.and_then(|at| asked.lock().get(at).copied());
        if let Some(answered) = answered {
            state.note_change(answered.key, LATE.contains(&answered.key));
            if answered.is_withheld {
                state.pass_answer(number, answered.key)?;
            }
        }
        client.write_all(&head)?;
        copy(broker, client, u64::from(rest))?;
        if let Some(at) = at {
            // Those before it get no answer.
            asked.lock().drain(..=at);
        }
    }
}

fn copy(from: &mut TcpStream, to: &mut TcpStream, length: u64) -> Result<()> {
    if std::io::copy(&mut Read::by_ref(from).take(length), to)? < length {
        bail!("the connection was closed within a request or an answer");
    }
    Ok(())
}
