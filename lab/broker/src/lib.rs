//! Real Kafka behind one type, and the choice of where it comes from.
//!
//! - [`Way`] says whether Kafka is a cluster that you name, Docker, or a plain JVM.
//! - [`shared`] is the one broker that students work with, on `localhost:9092`.
//! - [`Broker::start`] starts a private one on a free port, which ends when the value is dropped or its owner dies.
//! - [`tools`] runs Kafka's own command-line tools against either.

mod broker;
mod cache;
mod command;
mod docker;
mod jars;
mod java;
mod jvm;
mod keeper;
mod ports;
mod prepared;
#[cfg(feature = "testcontainers")]
mod private_container;
mod request_log;
pub mod shared;
pub mod tools;
pub mod wait;
mod way;

pub use broker::Broker;
pub use cache::{Cache, Scratch};
pub use command::{last_lines, run, run_loud};
pub use docker::Docker;
pub use java::Java;
pub use keeper::Lifetime;
pub use ports::free_port;
pub use request_log::Request;
pub use way::Way;

/// The Kafka version of the image and of the jars.
pub const KAFKA_VERSION: &str = "4.3.0";

/// The official image.
pub const IMAGE: &str = "apache/kafka:4.3.0";
