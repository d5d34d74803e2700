//! Brokers that keep running between uses. Each is cleaned before its next use, so that one user sees nothing of
//! another.

use std::net::TcpListener;
use std::ops::Deref;

use anyhow::{Context, Result};
use broker::{Broker, wait};
use common::TOPICS;
use parking_lot::Mutex;

use crate::bench::clock::Clock;
use crate::bench::gate::Gate;
use cluster::Kafka;

/// If a broker was sent more than this many bytes, it is not used again, because they fill its disk and its log.
const MOST_SENT: u64 = 16 * 1024 * 1024;

/// Brokers that wait for their next use. Each is lent to one user at a time.
#[derive(Default)]
pub struct Pool {
    idle: Mutex<Vec<Bench>>,
    /// Locked while a broker starts: brokers that start at the same time only slow each other down.
    starting: Mutex<()>,
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
    /// `None` only while this is being dropped.
    bench: Option<Bench>,
}

impl Pool {
    /// Lends a broker with the lab's topics and nothing else. It is an idle one if possible, and otherwise a new one.
    ///
    /// # Errors
    /// When no broker can be started, or on Ctrl-C.
    pub fn lend(&self) -> Result<Lent<'_>> {
        let lent = |bench| Lent {
            pool: self,
            bench: Some(bench),
        };
        while let Some(mut bench) = self.pop() {
            // A broker that cannot be cleaned is dropped, and the next one is tried.
            if bench.renew().is_ok() {
                return Ok(lent(bench));
            }
            wait::check_stop()?;
        }
        let mut bench = self.start()?;
        bench.renew()?;
        Ok(lent(bench))
    }

    fn start(&self) -> Result<Bench> {
        let _turn = self.starting.lock();
        Bench::start()
    }

    /// Starts a broker if none is idle. If it cannot be started, [`Pool::lend`] reports this later.
    pub fn warm(&self) {
        if self.idle.lock().is_empty()
            && let Ok(bench) = self.start()
        {
            self.idle.lock().push(bench);
        }
    }

    /// Stops all idle brokers.
    pub fn clear(&self) {
        self.idle.lock().clear();
    }

    fn pop(&self) -> Option<Bench> {
        self.idle.lock().pop()
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
            reason = "it is `None` only while it is being dropped"
        )]
        self.bench.as_ref().unwrap()
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let Some(bench) = self.bench.take() else {
            return;
        };
        let (bytes, ordinary) = bench.gate.clear();
        if ordinary && bytes <= MOST_SENT {
            self.pool.idle.lock().push(bench);
        }
    }
}
