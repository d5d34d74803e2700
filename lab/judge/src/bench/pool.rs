//! Brokers that are kept warm from one use to the next, and cleaned in between, so that nothing is seen across.

use std::net::TcpListener;
use std::ops::Deref;

use anyhow::{Context, Result};
use broker::{Broker, wait};
use common::TOPICS;
use parking_lot::Mutex;

use crate::bench::gate::Gate;
use cluster::Kafka;

/// A broker that was sent more than this, in bytes, is not used again: its disk and its log are full of it.
const MOST_SENT: u64 = 16 * 1024 * 1024;

/// Idle brokers. Each is lent to one user at a time.
#[derive(Default)]
pub struct Pool {
    idle: Mutex<Vec<Bench>>,
    /// Brokers that start at the same time only slow each other down.
    starting: Mutex<()>,
}

/// A broker with its gate, and the way to look at it.
pub struct Bench {
    pub broker: Broker,
    pub gate: Gate,
    pub kafka: Kafka,
    /// Where the request log goes on: what stands before is of others.
    pub log_start: usize,
    is_used: bool,
}

/// A bench on loan; it goes back when this is dropped.
pub struct Lent<'a> {
    pool: &'a Pool,
    /// Only `None` while it is dropped.
    bench: Option<Bench>,
}

impl Pool {
    /// A broker with the lab's topics and nothing else: an idle one, or a new one.
    ///
    /// # Errors
    /// When no broker can be had.
    pub fn lend(&self) -> Result<Lent<'_>> {
        let lent = |bench| Lent {
            pool: self,
            bench: Some(bench),
        };
        while let Some(mut bench) = self.pop() {
            // One that cannot be cleaned is replaced.
            if bench.renew().is_ok() {
                return Ok(lent(bench));
            }
            wait::check_interrupt()?;
        }
        let mut bench = self.start()?;
        bench.renew()?;
        Ok(lent(bench))
    }

    fn start(&self) -> Result<Bench> {
        let _turn = self.starting.lock();
        Bench::start()
    }

    /// Sees to it that a broker is idle. That none can be had is told to whoever needs one.
    pub fn warm(&self) {
        if self.idle.lock().is_empty()
            && let Ok(bench) = self.start()
        {
            self.idle.lock().push(bench);
        }
    }

    /// Ends all brokers that are idle.
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
        let inside = broker.behind_gate().context("no port behind the gate")?;
        let kafka = Kafka::at(broker.bootstrap());
        kafka.create_topics(TOPICS)?;
        Ok(Self {
            gate: Gate::open(listener, inside)?,
            kafka,
            broker,
            log_start: 0,
            is_used: false,
        })
    }

    fn renew(&mut self) -> Result<()> {
        if self.is_used {
            self.kafka.begin_anew(TOPICS)?;
            self.log_start = self.broker.requests(self.log_start, |_| false)?.1;
        }
        self.is_used = true;
        Ok(())
    }
}

impl Deref for Lent<'_> {
    type Target = Bench;

    fn deref(&self) -> &Bench {
        #[expect(clippy::unwrap_used, reason = "it is there until it is dropped")]
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
