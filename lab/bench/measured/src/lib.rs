//! What the measured programs have in common: their arguments, and what they report to `cargo lab bench`, as one line of JSON
//! on standard output.

use std::str::FromStr;

use common::Error;
use rdkafka::config::ClientConfig;
use serde::{Deserialize, Serialize};

/// What a measured consumer did.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reading {
    /// How many events it processed.
    pub events: usize,
    /// How long that took, from the first event on.
    pub seconds: f64,
    /// For each partition, the offset after the last event that it processed.
    pub next: Vec<i64>,
}

/// How many events the run after a crash got again.
#[derive(Debug, Serialize, Deserialize)]
pub struct Again {
    pub events: usize,
}

/// Prints what a measured program reports.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn report(what: &impl Serialize) -> Result<(), Error> {
    println!("{}", serde_json::to_string(what)?);
    Ok(())
}

/// The settings in the program's arguments from this position on, each as `NAME=VALUE`.
pub fn settings(from: usize) -> ClientConfig {
    let mut config = ClientConfig::new();
    for setting in std::env::args().skip(from) {
        if let Some((name, value)) = setting.split_once('=') {
            config.set(name, value);
        }
    }
    config
}

/// The program's argument at this position, counted from 1.
///
/// # Errors
/// If there is no such argument, or if it is not of the wanted type.
pub fn argument<T: FromStr>(position: usize) -> Result<T, Error> {
    let word = std::env::args().nth(position).unwrap_or_default();
    word.parse().map_err(|_| {
        Error::new(format!(
            "argument {position} is `{word}`. `cargo lab bench` starts this program with the right arguments"
        ))
    })
}
