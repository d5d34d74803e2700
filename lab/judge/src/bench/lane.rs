//! Where a submission is judged: a broker to itself, and what was seen on it so far.

use std::any::{Any, TypeId};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use anyhow::{Result, anyhow, bail};
use broker::Request as Logged;
use common::{CLICKSTREAM, Event, TOPICS};
use serde_json::Value;

use crate::Program;
use crate::bench::database::{BILLING_DB, Database};
use crate::bench::gate::Request;
use crate::bench::pool::{Lent, Pool};
use crate::history::sentence::api;
use crate::history::{History, Moment, PROGRAMS_LISTENER, asked_at};
use crate::programs::run::BOOTSTRAP_SERVERS;
use crate::programs::submission::{Missing, Submission};
use cluster::{Kafka, Payload};

/// A broker, its gate, and a submission. Checks that share what they look at share a lane; lanes run side by side.
pub struct Lane<'a> {
    bench: Lent<'a>,
    submission: &'a Submission,
    database: OnceCell<Database>,
    history: History,
    opened: SystemTime,
    log: RefCell<Log>,
    evidence: RefCell<HashMap<TypeId, Evidence>>,
    /// When the evidence that is gathered now was begun, and how many gatherings are within each other.
    begun: Cell<Instant>,
    depth: Cell<u32>,
    looked_at: RefCell<Vec<Stretch>>,
}

/// From when to when.
type Stretch = (Instant, Instant);

/// In the request log: members leave, or we remove them.
const REMOVES_A_MEMBER: &str = "\"requestApiKeyName\":\"LEAVE_GROUP\"";

/// What is known of the broker's request log: the requests of programs, and ours to remove members.
struct Log {
    requests: Vec<Logged>,
    by_api: HashMap<String, Vec<Arc<Value>>>,
    /// How far it is known, in bytes.
    end: usize,
}

struct Evidence {
    gathered: Gathered,
    during: Stretch,
}

/// What was gathered once; or why it could not be, which is then so for every check that needs it.
type Gathered = Result<Rc<dyn Any>, Rc<anyhow::Error>>;

impl<'a> Lane<'a> {
    /// Takes a broker with the lab's topics for this submission.
    ///
    /// # Errors
    /// When no broker can be had.
    pub fn open(pool: &'a Pool, submission: &'a Submission) -> Result<Self> {
        let bench = pool.lend()?;
        Ok(Self {
            opened: SystemTime::now(),
            log: RefCell::new(Log {
                requests: Vec::new(),
                by_api: HashMap::new(),
                end: bench.log_start,
            }),
            bench,
            submission,
            database: OnceCell::new(),
            history: History::default(),
            evidence: RefCell::default(),
            begun: Cell::new(Instant::now()),
            depth: Cell::default(),
            looked_at: RefCell::default(),
        })
    }

    /// The broker, seen from outside and past the gate.
    pub fn kafka(&self) -> &Kafka {
        &self.bench.kafka
    }

    /// Have programs asked the broker for what no program of the lab needs: to delete a topic, to change a setting?
    pub fn is_meddled_with(&self) -> bool {
        self.bench.gate.is_meddled_with()
    }

    /// The billing database that programs of this lane are given from now on; it is kept from one run to the next.
    ///
    /// # Errors
    /// When its folder cannot be made.
    pub fn database(&self) -> Result<&Database> {
        if let Some(database) = self.database.get() {
            return Ok(database);
        }
        let new = Database::new()?;
        Ok(self.database.get_or_init(|| new))
    }

    /// Begins anew: empty topics, no group, an empty database. What was right or wrong before has no part in what comes.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn begin_anew(&self) -> Result<()> {
        self.kafka().begin_anew(TOPICS)?;
        if let Some(database) = self.database.get() {
            database.clear()?;
        }
        self.note("all begins anew: the topics are empty, nobody knows of a group");
        Ok(())
    }

    /// Publishes events to `clickstream`.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn publish(&self, events: &[Event]) -> Result<()> {
        self.kafka().publish(CLICKSTREAM, events)?;
        self.note(format!("{} events are published", events.len()));
        Ok(())
    }

    /// Publishes these bytes to any topic; without a partition, the keys decide.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn send(&self, topic: &str, partition: Option<i32>, payloads: &[Payload]) -> Result<()> {
        self.kafka().send(topic, partition, payloads)?;
        let count = payloads.len();
        self.note(format!("{count} messages are published to {topic}"));
        Ok(())
    }

    /// Tells a reader of the history what we did.
    pub fn note(&self, text: impl Into<String>) {
        self.history.note(text);
    }

    /// Holds back every request of this kind from now on.
    pub fn hold(&self, request: Request) {
        self.bench.gate.hold(request);
        self.note(format!("from here on {} are held back", request.plural()));
    }

    /// Has a request come since, that is held back?
    pub fn is_holding(&self) -> bool {
        self.bench.gate.is_holding()
    }

    /// Lets everything through again.
    pub fn release(&self) {
        self.note("what was held back is let through");
        self.bench.gate.release();
    }

    /// Lets everything through again, but not what was held back: that is lost.
    pub fn turn_away(&self) {
        self.note("what was held back is lost");
        self.bench.gate.turn_away();
    }

    /// Starts a program; it talks to the broker through the gate.
    ///
    /// # Errors
    /// [`Missing`], or when it cannot be started.
    pub fn start(&self, program: &str) -> Result<Program> {
        self.started(Program::run(program, &mut self.command(program)?))
    }

    /// Starts a program that [`Lane::stall`] will stop in its next print: in the middle of processing. What it prints before
    /// that is not read.
    ///
    /// # Errors
    /// As [`Lane::start`].
    pub fn start_to_stall(&self, program: &str) -> Result<Program> {
        self.started(Program::run_to_stall(program, &mut self.command(program)?))
    }

    /// From now on it can print nothing.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn stall(&self, program: &mut Program) -> Result<()> {
        self.note("from here on it can print nothing: it stops in its next print");
        program.stall()
    }

    fn started(&self, program: Result<Program>) -> Result<Program> {
        let program = program?;
        self.history.add(program.transcript());
        Ok(program)
    }

    fn command(&self, program: &str) -> Result<std::process::Command> {
        let database = self.database.get();
        let kept = database.map(|database| database.folder().to_path_buf());
        let mut command = self.submission.command(program, kept.as_slice())?;
        command.env(BOOTSTRAP_SERVERS, self.bench.gate.bootstrap());
        if let Some(database) = database {
            command.env(BILLING_DB, database.path());
        }
        Ok(command)
    }

    /// How many partitions of a topic the members of a group own, by either protocol of groups.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub fn owned(&self, group: &str, topic: &str) -> Result<usize> {
        let members = self.kafka().members(group, topic)?;
        Ok(members.iter().map(|member| member.partitions.len()).sum())
    }

    /// Removes every member of a group at once; a dead one would stay until its session times out.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub fn remove_members(&self, group: &str) -> Result<()> {
        self.kafka().remove_members(group)
    }

    /// What `gather` comes to, gathered once for all checks of this lane.
    ///
    /// # Errors
    /// What `gather` failed with, each time.
    pub fn evidence<T: 'static>(&self, gather: fn(&Self) -> Result<T>) -> Result<Rc<T>> {
        let kind = TypeId::of::<T>();
        if !self.evidence.borrow().contains_key(&kind) {
            let new = self.gather(gather);
            self.evidence.borrow_mut().insert(kind, new);
        }
        let evidence = self.evidence.borrow();
        let Evidence { gathered, during } = &evidence[&kind];
        if self.depth.get() == 0 {
            self.looked_at.borrow_mut().push(*during);
        }
        let gathered = gathered.clone();
        drop(evidence);
        match gathered {
            Ok(evidence) => evidence
                .downcast()
                .map_err(|_| anyhow!("evidence of another kind")),
            Err(error) => match error.downcast_ref::<Missing>() {
                Some(missing) => bail!(missing.clone()),
                None => bail!("{error:#}"),
            },
        }
    }

    fn gather<T: 'static>(&self, gather: fn(&Self) -> Result<T>) -> Evidence {
        self.depth.set(self.depth.get() + 1);
        self.begun.set(Instant::now());
        let gathered = gather(self)
            .map(|evidence| Rc::new(evidence) as Rc<dyn Any>)
            .map_err(Rc::new);
        let during = (self.begun.get(), Instant::now());
        // Whoever needed this begins now.
        self.begun.set(during.1);
        self.depth.set(self.depth.get() - 1);
        Evidence { gathered, during }
    }

    /// What happened while the evidence was gathered that has been looked at since this was last asked.
    pub fn seen(&self) -> Vec<Moment> {
        let stretches = self.looked_at.take();
        // What cannot be told any more, because the broker has gone, is left out: the verdict says so.
        let _ = self.read_log();
        self.history
            .between(&self.log.borrow().requests, &stretches)
    }

    /// Nobody will ask what happened in what has been looked at since [`Lane::seen`] was last asked.
    pub fn look_away(&self) {
        self.looked_at.take();
    }

    fn read_log(&self) -> Result<()> {
        let mut log = self.log.borrow_mut();
        let of_a_program = format!("\"listener\":\"{PROGRAMS_LISTENER}\"");
        let (mut new, end) = self.bench.broker.requests(log.end, |line| {
            line.contains(&of_a_program) || line.contains(REMOVES_A_MEMBER)
        })?;
        // A fetch may wait, and be answered when whoever asked has gone and the broker is ours.
        new.retain(|request| asked_at(request) >= self.opened);
        for request in &new {
            let alike = log.by_api.entry(api(&request.logged).to_string());
            alike.or_default().push(Arc::clone(&request.logged));
        }
        log.requests.extend(new);
        log.end = end;
        Ok(())
    }

    /// The requests of one kind that the broker has answered to programs so far, from its request log.
    ///
    /// # Errors
    /// When the broker has gone.
    pub fn requests_of_programs(&self, kind: &str) -> Result<Vec<Arc<Value>>> {
        self.read_log()?;
        let log = self.log.borrow();
        let requests = log.by_api.get(kind).into_iter().flatten();
        Ok(requests
            .filter(|logged| logged["listener"] == PROGRAMS_LISTENER)
            .cloned()
            .collect())
    }

    /// As [`Lane::requests_of_programs`], those that name this group.
    ///
    /// # Errors
    /// As there.
    pub fn group_requests(&self, kind: &str, group: &str) -> Result<Vec<Arc<Value>>> {
        let mut requests = self.requests_of_programs(kind)?;
        requests.retain(|logged| logged["request"]["groupId"] == group);
        Ok(requests)
    }
}
