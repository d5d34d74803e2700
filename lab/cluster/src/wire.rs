//! Sends requests over Kafka's wire protocol, for queries that rdkafka does not support.
//!
//! librdkafka can describe a group (`rd_kafka_DescribeConsumerGroups`). But if the broker goes away in the meantime, it aborts
//! the whole process (its issues 3663 and 4605). These connections only fail, and the next request opens a new one.

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

/// How long the cluster may take to answer one request. It is long, because a machine that starts four brokers at the same
/// time is slow.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// Our `client.id`. It is also our `group.id`, because without one librdkafka does not let a consumer read. We never join or
/// commit under it.
pub const OBSERVER: &str = "lab-observer";

/// What a coordinator is for, as a number of the protocol.
const OF_GROUP: i8 = 0;
const OF_TRANSACTION: i8 = 1;

/// The longest answer that we accept, in bytes. A longer one cannot come from Kafka.
const LONGEST: usize = 100 << 20;

/// The brokers of a cluster, and our connections to them.
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
    /// The number of the last request.
    asked: i32,
    /// The keys of the requests that the broker understands.
    apis: HashSet<i16>,
}

impl Brokers {
    /// The brokers of the cluster whose clients start from the addresses `bootstrap`. Does not connect to them yet.
    pub fn at(bootstrap: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_string(),
            connections: HashMap::new(),
            coordinators: BTreeMap::new(),
        }
    }

    /// Sends a request to the broker at this address, and returns the answer.
    ///
    /// A broker closes a connection that was idle for ten minutes (its `connections.max.idle.ms`). If it has closed ours since
    /// the last request, the request is sent again over a new connection. So the broker may get the same request twice.
    ///
    /// # Errors
    /// If the broker does not answer within `limit`.
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

    /// Sends a request to the bootstrap brokers, one after the other, until one answers.
    ///
    /// # Errors
    /// If none of them answers within `limit`.
    pub fn ask_any<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        limit: Duration,
    ) -> Result<R::Response> {
        let mut answer = Err(Error::msg("no bootstrap broker is given"));
        for address in self.bootstrap.clone().split(',') {
            answer = self.ask(address.trim(), request, version, limit);
            if answer.is_ok() {
                break;
            }
        }
        answer
    }

    /// Sends a request to the coordinator of a group. If the coordinator is moving to another broker or is not ready yet, waits
    /// for it. `error` takes the error code out of the answer.
    ///
    /// # Errors
    /// If the coordinator does not answer within `limit`.
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

    /// Whether the coordinator of a group understands the request `R`.
    ///
    /// # Errors
    /// If the coordinator does not answer within `limit`.
    pub fn coordinator_knows<R: Request>(&mut self, group: &str, limit: Duration) -> Result<bool> {
        let address = self.coordinator(group, limit)?;
        Ok(self.connection(&address, limit)?.apis.contains(&R::KEY))
    }

    fn coordinator(&mut self, group: &str, limit: Duration) -> Result<String> {
        if let Some(address) = self.coordinators.get(group) {
            return Ok(address.clone());
        }
        let address = self.find_coordinator(OF_GROUP, group, limit)?;
        self.coordinators.insert(group.to_string(), address.clone());
        Ok(address)
    }

    /// Waits until the cluster has its topics of commits and of transactions. It creates them when somebody first asks for a
    /// coordinator, and until then clients ask again and again, half a second or a second later.
    ///
    /// # Errors
    /// If that has not happened after `limit`.
    pub fn wait_for_coordinators(&mut self, limit: Duration) -> Result<()> {
        for kind in [OF_GROUP, OF_TRANSACTION] {
            self.find_coordinator(kind, OBSERVER, limit)?;
        }
        Ok(())
    }

    /// The address of the coordinator of a group or a transactional id.
    fn find_coordinator(&mut self, kind: i8, name: &str, limit: Duration) -> Result<String> {
        const VERSION: i16 = 1;
        let question = FindCoordinatorRequest::default()
            .with_key(StrBytes::from_string(name.to_string()))
            .with_key_type(kind);
        // The first such request to a new cluster makes it create its topic of commits. This takes a moment.
        let what = format!("{name} to get a coordinator");
        wait::until(&what, limit, || {
            let found = self.ask_any(&question, VERSION, limit)?;
            match ResponseError::try_from_code(found.error_code) {
                None => Ok(Some(format!("{}:{}", &*found.host, found.port))),
                Some(error) if is_of_moving(&error) => Ok(None),
                Some(error) => bail!("{name} has no coordinator: {error}"),
            }
        })
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
        let mut stream = Err(Error::msg(format!("the name in {address} has no address")));
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
            "an answer of {length} bytes cannot come from Kafka"
        );
        let mut answer = BytesMut::zeroed(length);
        self.stream.read_exact(&mut answer)?;
        let mut answer = answer.freeze();
        let header = ResponseHeader::decode(&mut answer, R::Response::header_version(version))?;
        ensure!(
            header.correlation_id == self.asked,
            "the answer belongs to another request"
        );
        R::Response::decode(&mut answer, version)
    }
}

/// Whether the coordinator is moving or not ready yet, so that the same request will succeed soon.
fn is_of_moving(error: &ResponseError) -> bool {
    matches!(
        error,
        ResponseError::NotCoordinator
            | ResponseError::CoordinatorNotAvailable
            | ResponseError::CoordinatorLoadInProgress
    )
}

/// Whether the error means that the other side has closed the connection.
fn is_of_closing(error: &Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    error.downcast_ref::<std::io::Error>().is_some_and(|error| {
        matches!(
            error.kind(),
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
        )
    })
}
