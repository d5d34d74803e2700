//! Starts a real Kafka, in Docker or in a plain JVM.
//!
//! - [`Way`] is where Kafka comes from: from the user's own cluster, from Docker, or from a plain JVM.
//! - [`shared`] is the Kafka that students work with, on `127.0.0.1:9092`.
//! - [`Broker::start`] starts a private Kafka on a free port. It ends when the value is dropped or its owner ends.
//! - [`tools`] runs Kafka's own command-line tools on the shared Kafka.
//! - [`wait`] waits for something to happen, up to a limit, and [`spent`] counts the time that goes into it.

mod broker;
mod cache;
mod command;
mod docker;
mod docker_daemon;
mod jars;
mod java;
mod jvm;
mod keeper;
mod ports;
mod prepare;
mod prepared;
#[cfg(feature = "testcontainers")]
mod private_container;
mod request_log;
pub mod shared;
mod shared_jvm;
pub mod spent;
pub mod tools;
mod version;
pub mod wait;
mod way;

pub use broker::Broker;
pub use cache::{Cache, Scratch};
pub use command::{find_on_path, last_lines, run, run_loud};
pub use docker::Docker;
pub use java::Java;
pub use keeper::Lifetime;
pub use ports::free_port;
pub use request_log::Request;
pub use version::{DEFAULT as DEFAULT_VERSION, image};
pub use way::Way;
