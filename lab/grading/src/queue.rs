//! A class that is judged on many machines. Its submissions wait in a Kafka topic, workers are a consumer group that takes them
//! from there, and another topic says what has become of each.
//!
//! - [`Connection`] is the cluster, and [`mod@topics`] its two topics.
//! - [`message`] is what the topics contain. [`store`] writes it, and [`notes`] reads what is known about each submission.
//! - [`grade_through`] publishes a class ([`publish`]) and gathers its results ([`gather`]).
//! - [`work`] is a worker: it polls, gives each submission to a [`grader_process`], stores the result, and commits. Offsets are
//!   committed up to the first submission that is [`unfinished`].
//! - [`judge_jobs`] is what a grader process does. It judges one submission after another, on brokers of its own.
//! - [`Status`] shows how far the classes are.

mod connection;
mod gather;
mod grader_process;
mod judge_jobs;
mod message;
mod notes;
mod publish;
mod status;
mod store;
mod topics;
mod unfinished;
mod worker;

pub use connection::Connection;
pub use gather::grade_through;
pub use judge_jobs::judge_jobs;
pub use status::Status;
pub use worker::work;
