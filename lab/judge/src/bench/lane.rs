//! Where a submission is judged: a broker to itself, and what has been seen on it so far.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use broker::spent::{Waiting, count_as};
use broker::{Request, wait};
use common::{CLICKSTREAM, Event, TOPICS};

use crate::Program;
use crate::bench::database::{BILLING_DB, Database};
use crate::bench::evidence::Evidence;
use crate::bench::gate::{Gate, Hold, RequestKind, Unanswered};
use crate::bench::pool::{Lent, Pool};
use crate::bench::sweep::Kill;
use crate::history::logged::Logged;
use crate::history::sentence::sentence;
use crate::history::{History, Moment};
use crate::programs::run::BOOTSTRAP_SERVERS;
use crate::programs::submission::Submission;
use cluster::{Kafka, Payload};

/// How long the gate may take to pass on what an ended program sent. A child of the program may stay connected.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// How long the broker may take to log a request that it has answered.
const LOGGED: Duration = Duration::from_millis(500);

/// A broker, its gate, and a submission. The checks of a task share a lane; lanes run side by side.
pub struct Lane<'a> {
    bench: Lent<'a>,
    submission: &'a Submission,
    database: OnceCell<Database>,
    history: History,
    opened: SystemTime,
    /// The programs that have run without ever connecting to the broker.
    strangers: RefCell<BTreeSet<String>>,
    log: RefCell<Log>,
    evidence: Evidence,
}

/// The part of the broker's request log that was read: the requests of programs, and our requests to remove members.
struct Log {
    requests: Vec<Logged>,
    by_kind: HashMap<String, Vec<Logged>>,
    /// How far the log was read, in bytes.
    end: usize,
    /// How many of the requests came before the last start of a program.
    before_start: usize,
}

/// A situation that is brought about once on a lane, and what was seen in it.
pub struct Scenario<T> {
    /// Its name, which no other scenario of the task has.
    pub name: &'static str,
    /// Brings it about. An error is ours.
    pub run: fn(&Lane) -> Result<T>,
}

/// Lets everything through again when a scenario fails or panics, so that nothing is held back in the next one.
struct OpenAgain<'a>(&'a Gate);

impl Drop for OpenAgain<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl<'a> Lane<'a> {
    /// Takes a broker for this submission, with the lab's topics.
    ///
    /// # Errors
    /// When no broker can be started.
    pub fn open(pool: &'a Pool, submission: &'a Submission) -> Result<Self> {
        let bench = pool.lend()?;
        Ok(Self {
            opened: SystemTime::now(),
            strangers: RefCell::default(),
            log: RefCell::new(Log {
                requests: Vec::new(),
                by_kind: HashMap::new(),
                end: bench.log_start,
                before_start: 0,
            }),
            bench,
            submission,
            database: OnceCell::new(),
            history: History::default(),
            evidence: Evidence::default(),
        })
    }

    /// The broker, seen from outside and past the gate.
    pub fn kafka(&self) -> &Kafka {
        &self.bench.kafka
    }

    /// Whether programs asked the broker for something that no program of the lab needs, such as to delete a topic or to change
    /// a setting.
    pub fn is_meddled_with(&self) -> bool {
        self.bench.gate.is_meddled_with()
    }

    /// The billing database. Programs that are started after the first call get it; it is kept from one run to the next.
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

    /// Begins anew, with empty topics, no groups and an empty database, so that earlier faults have no effect on what comes.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn begin_anew(&self) -> Result<()> {
        let _waiting = count_as(Waiting::Broker);
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

    /// Publishes these bytes to any topic: to this partition, or by their keys.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn send(&self, topic: &str, partition: Option<i32>, payloads: &[Payload]) -> Result<()> {
        self.kafka().send(topic, partition, payloads)?;
        let count = payloads.len();
        self.note(format!("{count} messages are published to {topic}"));
        Ok(())
    }

    /// Waits until everything that an ended program sent has been passed on to the broker, so that its last commit counts.
    ///
    /// # Errors
    /// On Ctrl-C.
    pub fn drain(&self) -> Result<()> {
        let _waiting = count_as(Waiting::Kafka);
        wait::up_to(DRAIN_LIMIT, || Ok(self.bench.gate.is_idle().then_some(()))).map(drop)
    }

    /// Notes what we did, for readers of the history.
    pub fn note(&self, text: impl Into<String>) {
        self.history.note(text);
    }

    /// Holds back every request of this kind from now on.
    pub fn hold(&self, kind: RequestKind) {
        self.bench.gate.hold(Hold::all(kind));
        self.note(format!("from here on {} are held back", kind.plural()));
    }

    /// Holds this back from now on.
    pub fn hold_at(&self, hold: Hold) {
        self.bench.gate.hold(hold);
    }

    /// Loses the answer to the next request of this kind: the broker has done what was asked, and the program does not know.
    pub fn lose(&self, kind: RequestKind) {
        self.bench.gate.lose(kind, 0);
        self.note(format!("the next answer to {} is lost", kind.plural()));
    }

    /// Whether a request has come whose answer will be held back or lost when it comes.
    pub fn is_coming(&self) -> bool {
        self.bench.gate.is_coming()
    }

    /// Whether the gate has held back anything, or lost it, since it was last told to.
    pub fn is_holding(&self) -> bool {
        self.bench.gate.has_held()
    }

    /// The requests whose answers did not reach their program before its connection was closed.
    pub fn undelivered(&self) -> BTreeSet<Unanswered> {
        self.bench.gate.undelivered()
    }

    /// Kills a program at this position, if it got there, and forgets what was held back. Returns the kill.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill_at(&self, program: &mut Program, hold: &Hold) -> Result<Option<Kill>> {
        if !self.is_holding() {
            self.bench.gate.release();
            return Ok(None);
        }
        let kill = Kill::at(hold);
        self.note(format!("it is killed {kill}"));
        program.kill_if_running()?;
        self.bench.gate.turn_away();
        Ok(Some(kill))
    }

    /// Lets everything through again.
    pub fn release(&self) {
        self.note("what was held back is let through");
        self.bench.gate.release();
    }

    /// Lets everything through again, except what was held back: that is lost.
    pub fn turn_away(&self) {
        self.note("what was held back is lost");
        self.bench.gate.turn_away();
    }

    /// Starts a program, and waits until it connects to the broker, through the gate. Limits of its time are counted from then on.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, program: &str) -> Result<Program> {
        self.start_with(program, Program::run)
    }

    /// Like [`Lane::start`], for a program that [`Lane::stall`] will stop in its next print, in the middle of processing.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_to_stall(&self, program: &str) -> Result<Program> {
        self.start_with(program, Program::run_to_stall)
    }

    fn start_with(
        &self,
        name: &str,
        run: impl FnOnce(&str, &mut Command) -> Result<Program>,
    ) -> Result<Program> {
        let mut command = self.command(name)?;
        self.mark_start()?;
        let before = self.bench.gate.connections_so_far();
        let mut program = run(name, &mut command)?;
        self.history.add(program.transcript());
        let is_stranger = self.strangers.borrow().contains(name);
        if !is_stranger {
            let connects = || Ok(self.bench.gate.connections_so_far() > before);
            if !program.wait_until_begun(connects)? && program.is_running()? {
                self.strangers.borrow_mut().insert(name.to_string());
            }
        }
        Ok(program)
    }

    /// From now on, the program can print nothing.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn stall(&self, program: &mut Program) -> Result<()> {
        self.note("from here on it can print nothing: it stops in its next print");
        program.stall()
    }

    /// Notes which requests came before a program is started.
    fn mark_start(&self) -> Result<()> {
        self.read_log()?;
        let mut log = self.log.borrow_mut();
        log.before_start = log.requests.len();
        Ok(())
    }

    fn command(&self, program: &str) -> Result<Command> {
        let database = self.database.get();
        let kept = database.map(|database| database.folder().to_path_buf());
        let mut command = self.submission.command(program, kept.as_slice())?;
        command.env(BOOTSTRAP_SERVERS, self.bench.gate.bootstrap());
        if let Some(database) = database {
            command.env(BILLING_DB, database.path());
        }
        Ok(command)
    }

    /// How many partitions a group has given to the program that was started last, by the coordinator's last answer to it. Asks
    /// nobody. Under the protocol of KIP-848, partitions of all topics count.
    ///
    /// # Errors
    /// When the broker has gone.
    pub fn assigned(&self, group: &str, topic: &str) -> Result<usize> {
        self.read_log()?;
        let log = self.log.borrow();
        let since = log.requests[log.before_start..].iter().rev();
        let mut answers = since.filter(|one| one.came_through_gate() && one.group() == group);
        Ok(answers.find_map(|one| one.assigned_of(topic)).unwrap_or(0))
    }

    /// How many partitions of a topic the members of a group own, under the classic protocol or that of KIP-848.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub fn owned(&self, group: &str, topic: &str) -> Result<usize> {
        let members = self.kafka().members(group, topic)?;
        Ok(members.iter().map(|member| member.partitions.len()).sum())
    }

    /// Removes every member of a group at once. A dead one would stay until its session times out.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub fn remove_members(&self, group: &str) -> Result<()> {
        self.kafka().remove_members(group)
    }

    /// What a scenario showed. It is brought about once, for all checks of this lane.
    ///
    /// # Errors
    /// The error of the scenario, each time.
    pub fn evidence<T: 'static>(&self, scenario: Scenario<T>) -> Result<Rc<T>> {
        self.evidence.of(scenario.name, || {
            let open_again = OpenAgain(&self.bench.gate);
            let seen = (scenario.run)(self)?;
            std::mem::forget(open_again);
            Ok(seen)
        })
    }

    /// What happened in the scenarios that were looked at since this was last called.
    pub fn seen(&self) -> Vec<Moment> {
        let stretches = self.evidence.take_looked_at();
        // If the broker has gone, its part is left out; the verdict says why.
        let _ = self.read_log();
        self.history
            .between(&self.log.borrow().requests, &stretches)
    }

    /// Forgets which scenarios were looked at since [`Lane::seen`] was last called: nobody will ask what happened in them.
    pub fn look_away(&self) {
        self.evidence.take_looked_at();
    }

    fn read_log(&self) -> Result<()> {
        let _waiting = count_as(Waiting::Kafka);
        let mut log = self.log.borrow_mut();
        let broker = &self.bench.broker;
        let (new, end) = broker.requests(log.end, Logged::concerns_programs)?;
        let ours =
            |request: Request| Logged::new(self.bench.clock.ours(request.at), request.logged);
        let mut new: Vec<Logged> = new.into_iter().map(ours).collect();
        // A fetch of an earlier submission may be answered only now.
        new.retain(|request| request.asked_at() >= self.opened);
        for request in &new {
            let alike = log.by_kind.entry(request.kind().to_string());
            alike.or_default().push(request.clone());
        }
        log.requests.extend(new);
        log.end = end;
        Ok(())
    }

    /// Whether the broker has answered a program anything so far that counts for a history. To look for topics does not.
    ///
    /// # Errors
    /// When the broker has gone.
    pub fn is_worked_with(&self) -> Result<bool> {
        self.read_log()?;
        let log = self.log.borrow();
        let mut requests = log.requests.iter();
        Ok(requests.any(|one| one.came_through_gate() && sentence(one).is_some()))
    }

    /// The requests of one kind that the broker has answered to programs so far, from its request log.
    ///
    /// # Errors
    /// When the broker has gone.
    pub fn requests_of_programs(&self, kind: &str) -> Result<Vec<Logged>> {
        self.read_log()?;
        let log = self.log.borrow();
        let requests = log.by_kind.get(kind).into_iter().flatten();
        Ok(requests
            .filter(|logged| logged.came_through_gate())
            .cloned()
            .collect())
    }

    /// As [`Lane::requests_of_programs`], only those that name this group.
    ///
    /// # Errors
    /// When the broker has gone.
    pub fn group_requests(&self, kind: &str, group: &str) -> Result<Vec<Logged>> {
        let mut requests = self.requests_of_programs(kind)?;
        requests.retain(|logged| logged.group() == group);
        Ok(requests)
    }

    /// Waits until `look` finds something that the broker logs. It logs a request only after it has answered it, so a little
    /// late. Returns `None` if `look` has found nothing after `limit`.
    ///
    /// # Errors
    /// If `look` fails, or on Ctrl-C.
    pub fn logged_within<T>(
        &self,
        limit: Duration,
        look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let _waiting = count_as(Waiting::Kafka);
        wait::up_to(limit, look)
    }

    /// As [`Lane::group_requests`], of a program that has ended. Waits for what it sent last, and until the broker may have logged
    /// it: that happens after the answer, so a little late.
    ///
    /// # Errors
    /// When the broker has gone, or on Ctrl-C.
    pub fn last_requests(&self, kind: &str, group: &str) -> Result<Vec<Logged>> {
        self.drain()?;
        let mut requests = Vec::new();
        self.logged_within(LOGGED, || {
            requests = self.group_requests(kind, group)?;
            Ok((!requests.is_empty()).then_some(()))
        })?;
        Ok(requests)
    }
}
