//! Questions in Kafka's own protocol, for what rdkafka offers no call for.
//!
//! librdkafka could describe a group (`rd_kafka_DescribeConsumerGroups`), but aborts the whole process when the broker goes
//! away meanwhile (its issues 3663 and 4605). These connections just fail, and the next question opens new ones.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Error, Result, bail, ensure};
use broker::wait;
use bytes::BytesMut;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    ApiVersionsRequest, FindCoordinatorRequest, RequestHeader, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

/// How long the cluster may take to answer one question, once it was reached: a machine that starts four of them at a time
/// is slow.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// What we call ourselves as a client, and as a group where we ask in no other's name: without a name librdkafka lets a
/// consumer read nothing.
pub const OBSERVER: &str = "lab-observer";

/// No answer that we ask for is longer: a broker that says so is none.
const LONGEST: usize = 100 << 20;

/// The brokers of a cluster, and what is known of them.
#[derive(Debug)]
pub struct Brokers {
    bootstrap: String,
    connections: HashMap<String, Connection>,
    /// The address of each group's coordinator.
    coordinators: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    asked: i32,
    /// The questions that it understands.
    apis: HashSet<i16>,
}

impl Brokers {
    /// Those of the cluster at `bootstrap`. Nothing is asked of them yet.
    pub fn at(bootstrap: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_string(),
            connections: HashMap::new(),
            coordinators: BTreeMap::new(),
        }
    }

    /// Asks the broker at this address; once more, where it has closed the connection since the last question. (A broker
    /// closes one that was idle for ten minutes: its `connections.max.idle.ms`.) So a request may come twice.
    ///
    /// # Errors
    /// When it does not answer within `limit`.
    pub fn ask<R: Request>(
        &mut self,
        address: &str,
        request: &R,
        version: i16,
        limit: Duration,
    ) -> Result<R::Response> {
        let is_kept = self.connections.contains_key(address);
        let mut answer = self.ask_once(address, request, version, limit);
        if is_kept && answer.as_ref().is_err_and(is_of_closing) {
            answer = self.ask_once(address, request, version, limit);
        }
        answer
    }

    fn ask_once<R: Request>(
        &mut self,
        address: &str,
        request: &R,
        version: i16,
        limit: Duration,
    ) -> Result<R::Response> {
        let answer = self
            .connection(address, limit)
            .and_then(|connection| connection.ask(request, version, limit));
        if answer.is_err() {
            self.connections.remove(address);
        }
        answer
    }

    /// Asks whichever of the brokers to start from answers first.
    ///
    /// # Errors
    /// When none of them answers within `limit`.
    pub fn ask_any<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        limit: Duration,
    ) -> Result<R::Response> {
        let mut answer = Err(Error::msg("no broker is named"));
        for address in self.bootstrap.clone().split(',') {
            answer = self.ask(address.trim(), request, version, limit);
            if answer.is_ok() {
                break;
            }
        }
        answer
    }

    /// Asks the coordinator of a group, and waits for it where it is moving or not ready yet. `error` is the code that the
    /// answer bears.
    ///
    /// # Errors
    /// When it does not answer within `limit`.
    pub fn ask_coordinator<R: Request>(
        &mut self,
        group: &str,
        request: &R,
        version: i16,
        limit: Duration,
        error: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response> {
        let what = format!("the coordinator of group {group} to be ready");
        wait::until(&what, limit, || {
            let address = self.coordinator(group, limit)?;
            let answer = self.ask(&address, request, version, limit);
            let is_moving = answer.as_ref().is_ok_and(|answer| {
                ResponseError::try_from_code(error(answer))
                    .is_some_and(|error| is_of_moving(&error))
            });
            if is_moving || answer.is_err() {
                self.coordinators.remove(group);
            }
            answer.map(|answer| (!is_moving).then_some(answer))
        })
    }

    /// Does the coordinator of a group understand this question?
    ///
    /// # Errors
    /// When it does not answer within `limit`.
    pub fn coordinator_knows<R: Request>(&mut self, group: &str, limit: Duration) -> Result<bool> {
        let address = self.coordinator(group, limit)?;
        Ok(self.connection(&address, limit)?.apis.contains(&R::KEY))
    }

    fn coordinator(&mut self, group: &str, limit: Duration) -> Result<String> {
        const VERSION: i16 = 1;
        if let Some(address) = self.coordinators.get(group) {
            return Ok(address.clone());
        }
        let question =
            FindCoordinatorRequest::default().with_key(StrBytes::from_string(group.to_string()));
        // The first who asks of a new cluster makes it create the topic of commits.
        let what = format!("a coordinator of group {group}");
        let address = wait::until(&what, limit, || {
            let found = self.ask_any(&question, VERSION, limit)?;
            match ResponseError::try_from_code(found.error_code) {
                None => Ok(Some(format!("{}:{}", &*found.host, found.port))),
                Some(error) if is_of_moving(&error) => Ok(None),
                Some(error) => bail!("group {group} has no coordinator: {error}"),
            }
        })?;
        self.coordinators.insert(group.to_string(), address.clone());
        Ok(address)
    }

    fn connection(&mut self, address: &str, limit: Duration) -> Result<&mut Connection> {
        if !self.connections.contains_key(address) {
            let new = Connection::open(address, limit)?;
            self.connections.insert(address.to_string(), new);
        }
        self.connections.get_mut(address).context("no connection")
    }
}

impl Connection {
    fn open(address: &str, limit: Duration) -> Result<Self> {
        const VERSION: i16 = 0;
        let mut stream = Err(Error::msg(format!("{address} is no address")));
        for socket in address.to_socket_addrs()? {
            stream = TcpStream::connect_timeout(&socket, limit).map_err(Error::from);
            if stream.is_ok() {
                break;
            }
        }
        let mut new = Self {
            stream: stream?,
            asked: 0,
            apis: HashSet::new(),
        };
        new.stream.set_nodelay(true)?;
        let known = new.ask(&ApiVersionsRequest::default(), VERSION, limit)?;
        new.apis = known.api_keys.iter().map(|api| api.api_key).collect();
        Ok(new)
    }

    fn ask<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        limit: Duration,
    ) -> Result<R::Response> {
        self.asked = self.asked.wrapping_add(1);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.asked)
            .with_client_id(Some(StrBytes::from_static_str(OBSERVER)));
        let mut question = BytesMut::new();
        header.encode(&mut question, R::header_version(version))?;
        request.encode(&mut question, version)?;
        self.stream.set_read_timeout(Some(limit))?;
        self.stream.set_write_timeout(Some(limit))?;
        let length = u32::try_from(question.len())?.to_be_bytes();
        self.stream.write_all(&[&length, &question[..]].concat())?;

        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length))?;
        ensure!(
            length < LONGEST,
            "an answer of {length} bytes is not Kafka's"
        );
        let mut answer = BytesMut::zeroed(length);
        self.stream.read_exact(&mut answer)?;
        let mut answer = answer.freeze();
        let header = ResponseHeader::decode(&mut answer, R::Response::header_version(version))?;
        ensure!(
            header.correlation_id == self.asked,
            "the answer belongs to another question"
        );
        R::Response::decode(&mut answer, version)
    }
}

/// Will the same question be answered soon, there or elsewhere?
fn is_of_moving(error: &ResponseError) -> bool {
    matches!(
        error,
        ResponseError::NotCoordinator
            | ResponseError::CoordinatorNotAvailable
            | ResponseError::CoordinatorLoadInProgress
    )
}

/// Has the other side closed the connection?
fn is_of_closing(error: &Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    error.downcast_ref::<std::io::Error>().is_some_and(|error| {
        matches!(
            error.kind(),
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
        )
    })
}
