//! `cargo lab publish`: events for whoever goes on before the producer works.

use std::process::ExitCode;

use anyhow::Result;
use common::CLICKSTREAM;
use judge::random_events;

use crate::kafka;

pub fn publish(count: u64) -> Result<ExitCode> {
    let (cluster, _) = kafka::with_topic(CLICKSTREAM)?;
    cluster.publish(CLICKSTREAM, &random_events(0, count))?;
    println!("Published {count} events to {CLICKSTREAM}.");
    Ok(ExitCode::SUCCESS)
}
