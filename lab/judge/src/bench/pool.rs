//! Brokers that keep running between uses. Each is cleaned before its next use, so that one user sees nothing of
//! another.

use std::net::TcpListener;
use std::ops::Deref;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, Result};
use broker::{Broker, Way, wait};
use common::TOPICS;
use parking_lot::{Condvar, Mutex};

use crate::bench::clock::Clock;
use crate::bench::gate::Gate;
use crate::bench::run_queue;
use cluster::Kafka;

/// If a broker was sent more than this many bytes, it is not used again, because they fill its disk and its log.
const MOST_SENT: u64 = 16 * 1024 * 1024;

/// How many brokers are lent at the same time for each core. In a JVM that they share, a broker that waits costs little. In Docker,
/// each has a JVM of its own, and one that has just started needs more than twice the processor time of one that has been running
/// for a while. With more brokers than this, a class takes longer.
const FOR_EACH_CORE: usize = 12;
const FOR_EACH_CORE_IN_DOCKER: usize = 6;

/// How many wings of a submission are judged at the same time, each on its own broker. They spend most of their time waiting. So
/// many brokers are lent at least.
pub const SIDE_BY_SIDE: usize = 12;

/// So many are lent however busy the cores are. More are lent only while the cores are not too busy: programs in some languages need
/// a hundred times the processor time of others.
const FEW: usize = 6;

/// How often one who waits for a broker looks whether the command has to stop.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Brokers that are lent, each to one user at a time, or wait for their next use.
pub struct Pool {
    inner: Mutex<Inner>,
    /// Somebody has returned a broker.
    returned: Condvar,
    /// The most that are lent at the same time.
    most: usize,
    /// Locked by the one who is next to get a broker.
    next: Mutex<()>,
    /// Locked while a broker starts: brokers that start at the same time only slow each other down.
    starting: Mutex<()>,
}

#[derive(Default)]
struct Inner {
    idle: Vec<Bench>,
    lent: usize,
}

/// How many brokers a machine with so many cores bears at the same time, if they share a JVM.
pub fn most_brokers(cores: usize) -> usize {
    most(cores, FOR_EACH_CORE)
}

fn most(cores: usize, for_each: usize) -> usize {
    SIDE_BY_SIDE.max(cores * for_each)
}

/// How many brokers this machine bears at the same time.
pub fn most_brokers_here() -> usize {
    let cores = available_parallelism().map_or(1, usize::from);
    match Way::for_private() {
        Ok(Way::Docker(_)) => most(cores, FOR_EACH_CORE_IN_DOCKER),
        // Without any way, none will be started.
        _ => most_brokers(cores),
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::lending(most_brokers_here())
    }
}

/// A broker with its gate, and a client that looks at it.
pub struct Bench {
    pub broker: Broker,
    pub gate: Gate,
    pub kafka: Kafka,
    /// The offset in the request log where the present use begins, in bytes. What comes before belongs to earlier uses.
    pub log_start: usize,
    /// Its clock, measured for the present use.
    pub clock: Clock,
    is_used: bool,
}

/// A bench on loan. Dropping it returns the bench to the pool.
pub struct Lent<'a> {
    pool: &'a Pool,
    /// `None` only before this is handed out, and while it is being dropped.
    bench: Option<Bench>,
}

impl Pool {
    /// A pool that lends up to so many brokers at the same time, at least one.
    pub fn lending(most: usize) -> Self {
        Self {
            inner: Mutex::default(),
            returned: Condvar::new(),
            most: most.max(1),
            next: Mutex::default(),
            starting: Mutex::default(),
        }
    }

    /// Lends a broker with the lab's topics and nothing else. It is an idle one if possible, and otherwise a new one. If as many
    /// are lent as this machine can bear, or it is too busy for one more, waits. So nobody may lend a second one while they keep the
    /// first.
    ///
    /// # Errors
    /// When no broker can be started, or on Ctrl-C.
    pub fn lend(&self) -> Result<Lent<'_>> {
        let mut lent = self.take_turn()?;
        loop {
            let mut bench = self.take()?;
            let is_new = !bench.is_used;
            match bench.renew() {
                Ok(()) => {
                    lent.bench = Some(bench);
                    return Ok(lent);
                }
                Err(error) if is_new => return Err(error),
                // A broker that cannot be cleaned is dropped, and the next one is tried.
                Err(_) => wait::check_stop()?,
            }
        }
    }

    /// Waits until one more may be lent. Returns what will hold it.
    fn take_turn(&self) -> Result<Lent<'_>> {
        // As long as we hold this, nobody else gets one, so there is no less room than we saw.
        let _next = self.next.lock();
        let mut inner = self.inner.lock();
        while inner.lent >= self.most {
            wait::check_stop()?;
            self.returned.wait_for(&mut inner, LOOK_AGAIN);
        }
        drop(inner);
        while self.inner.lock().lent >= FEW && run_queue::is_long()? {}
        self.inner.lock().lent += 1;
        Ok(Lent {
            pool: self,
            bench: None,
        })
    }

    /// An idle broker, or else a new one.
    fn take(&self) -> Result<Bench> {
        if let Some(idle) = self.pop() {
            return Ok(idle);
        }
        let _turn = self.starting.lock();
        // Meanwhile, somebody may have returned one, or warmed one up.
        self.pop().map_or_else(Bench::start, Ok)
    }

    /// Starts a broker if none is idle. If it cannot be started, [`Pool::lend`] reports this later.
    pub fn warm(&self) {
        if let Ok(bench) = self.take() {
            self.inner.lock().idle.push(bench);
        }
    }

    /// Stops all idle brokers.
    pub fn clear(&self) {
        self.inner.lock().idle.clear();
    }

    fn pop(&self) -> Option<Bench> {
        self.inner.lock().idle.pop()
    }
}

impl Bench {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let broker = Broker::start_behind(listener.local_addr()?.port())?;
        let inside = broker
            .behind_gate()
            .context("the broker has no port for the gate")?;
        let gate = Gate::open(listener, inside)?;
        let kafka = Kafka::at(broker.bootstrap()).with_changes(gate.changes());
        kafka.create_topics(TOPICS)?;
        kafka.wait_for_coordinators()?;
        Ok(Self {
            gate,
            kafka,
            broker,
            log_start: 0,
            clock: Clock::default(),
            is_used: false,
        })
    }

    /// Empties the broker if it was used before, and looks at its clock.
    fn renew(&mut self) -> Result<()> {
        if self.is_used {
            self.kafka.begin_anew(TOPICS)?;
            self.log_start = self.broker.requests(self.log_start, |_| false)?.1;
        }
        self.clock = Clock::of(&self.broker, &self.kafka, self.log_start)?;
        self.is_used = true;
        Ok(())
    }
}

impl Deref for Lent<'_> {
    type Target = Bench;

    fn deref(&self) -> &Bench {
        #[expect(
            clippy::unwrap_used,
            reason = "it is `None` only before it is handed out, and while it is being dropped"
        )]
        self.bench.as_ref().unwrap()
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let kept = self.bench.take().filter(|bench| {
            let (bytes, ordinary) = bench.gate.clear();
            ordinary && bytes <= MOST_SENT
        });
        let mut inner = self.pool.inner.lock();
        inner.idle.extend(kept);
        inner.lent -= 1;
        drop(inner);
        self.pool.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::Relaxed;
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[test]
    fn lends_no_more_than_the_machine_can_bear() -> Result<()> {
        let pool = Pool::lending(1);
        let first = pool.take_turn()?;
        thread::scope(|scope| {
            let (sender, lent) = channel();
            let pool = &pool;
            scope.spawn(move || {
                let second = pool.take_turn();
                let _ = sender.send(pool.inner.lock().lent);
                drop(second);
            });
            assert!(lent.recv_timeout(3 * LOOK_AGAIN).is_err());
            drop(first);
            assert_eq!(lent.recv(), Ok(1));
        });
        assert_eq!(pool.inner.lock().lent, 0);
        Ok(())
    }

    #[test]
    fn lends_few_while_the_cores_are_busy() -> Result<()> {
        let pool = Pool::lending(2 * FEW);
        let few: Result<Vec<Lent>> = (0..FEW).map(|_| pool.take_turn()).collect();
        let few = few?;
        let is_busy = AtomicBool::new(true);
        thread::scope(|scope| -> Result<()> {
            for _ in 0..10 * run_queue::cores() {
                scope.spawn(|| {
                    while is_busy.load(Relaxed) {
                        std::hint::spin_loop();
                    }
                });
            }
            let (sender, lent) = channel();
            let pool = &pool;
            scope.spawn(move || sender.send(pool.take_turn().is_ok()));
            let early = lent.recv_timeout(Duration::from_secs(2));
            is_busy.store(false, Relaxed);
            assert!(early.is_err(), "it was lent although the cores are busy");
            assert!(lent.recv()?, "it was never lent");
            Ok(())
        })?;
        drop(few);
        Ok(())
    }
}
