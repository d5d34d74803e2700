//! `cargo lab publish`: publishes events, for students who want to continue before their producer works.

use std::process::ExitCode;

use anyhow::Result;
use common::CLICKSTREAM;
use judge::random_events;

use crate::kafka;

/// Publishes `count` random events to clickstream.
pub fn publish(count: u64) -> Result<ExitCode> {
    let (cluster, _) = kafka::with_topic(CLICKSTREAM)?;
    cluster.publish(CLICKSTREAM, &random_events(0, count))?;
    println!("Published {count} events to {CLICKSTREAM}.");
    Ok(ExitCode::SUCCESS)
}
