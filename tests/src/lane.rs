//! Where a submission is judged: a broker to itself, and what was seen on it so far.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::TcpListener;
use std::rc::Rc;

use anyhow::{Context, Result, anyhow, bail};
use broker::Broker;
use common::CLICKSTREAM;
use serde_json::Value;

use crate::gate::Gate;
use crate::submission::Submission;
use crate::{Kafka, Program};

/// A broker, its gate, and a submission. Checks that share what they look at share a lane; lanes run side by side.
pub struct Lane {
    pub kafka: Kafka,
    pub gate: Gate,
    broker: Broker,
    submission: Submission,
    evidence: RefCell<HashMap<TypeId, Gathered>>,
}

/// What was gathered once; or why it could not be, which is then so for every check that needs it.
type Gathered = Result<Rc<dyn Any>, Rc<anyhow::Error>>;

/// The program was not submitted.
#[derive(Clone, Debug)]
pub struct NotSubmitted(pub String);

impl std::error::Error for NotSubmitted {}

impl std::fmt::Display for NotSubmitted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} was not submitted", self.0)
    }
}

impl Lane {
    /// Starts a broker with the lab's topic for this submission.
    ///
    /// # Errors
    /// When no broker can be had.
    pub fn open(submission: Submission) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let broker = Broker::start_behind(listener.local_addr()?.port())?;
        let gate = Gate::open(
            listener,
            broker.behind_gate().context("no port behind the gate")?,
        )?;
        let kafka = Kafka::at(broker.bootstrap());
        kafka.create_topic(CLICKSTREAM, 3)?;
        Ok(Self {
            kafka,
            gate,
            broker,
            submission,
            evidence: RefCell::default(),
        })
    }

    /// Starts a program; it talks to the broker through the gate.
    ///
    /// # Errors
    /// [`NotSubmitted`], or when it cannot be started.
    pub fn start(&self, program: &str) -> Result<Program> {
        Program::run(
            program,
            self.command(program)?
                .env("BOOTSTRAP_SERVERS", self.gate.bootstrap()),
        )
    }

    /// Starts a program that blocks in its first print: in the middle of processing.
    ///
    /// # Errors
    /// As [`Lane::start`].
    pub fn start_stalled(&self, program: &str) -> Result<Program> {
        let mut command = self.command(program)?;
        Program::run_stalled(
            program,
            command.env("BOOTSTRAP_SERVERS", self.gate.bootstrap()),
        )
    }

    fn command(&self, program: &str) -> Result<std::process::Command> {
        let command = self.submission.command(program);
        command.ok_or_else(|| anyhow!(NotSubmitted(program.to_string())))
    }

    /// What `gather` comes to, gathered once for all checks of this lane.
    ///
    /// # Errors
    /// What `gather` failed with, each time.
    pub fn evidence<T: 'static>(&self, gather: fn(&Self) -> Result<T>) -> Result<Rc<T>> {
        let known = self.evidence.borrow().get(&TypeId::of::<T>()).cloned();
        let gathered = known.unwrap_or_else(|| {
            let new = gather(self)
                .map(|evidence| Rc::new(evidence) as Rc<dyn Any>)
                .map_err(Rc::new);
            self.evidence
                .borrow_mut()
                .insert(TypeId::of::<T>(), new.clone());
            new
        });
        match gathered {
            Ok(evidence) => evidence
                .downcast()
                .map_err(|_| anyhow!("evidence of another kind")),
            Err(error) => match error.downcast_ref::<NotSubmitted>() {
                Some(missing) => bail!(missing.clone()),
                None => bail!("{error:#}"),
            },
        }
    }

    /// The requests of one kind that the broker has answered so far, from its request log.
    ///
    /// # Errors
    /// When the broker has gone.
    pub fn requests(&self, api: &str) -> Result<Vec<Value>> {
        let mut requests = self.broker.requests()?;
        requests.retain(|request| request["requestHeader"]["requestApiKeyName"] == api);
        Ok(requests)
    }

    /// As [`Lane::requests`], those that name this group.
    ///
    /// # Errors
    /// As there.
    pub fn group_requests(&self, api: &str, group: &str) -> Result<Vec<Value>> {
        let mut requests = self.requests(api)?;
        requests.retain(|request| request["request"]["groupId"] == group);
        Ok(requests)
    }
}
