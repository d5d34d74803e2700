//! Lab programs without what they need end with a message that says what to do.

use std::time::Duration;

use anyhow::{Result, ensure};
use broker::Broker;
use checks::Program;
use checks::programs::Version;
use libtest_mimic::Trial;

use crate::{programs, trial};

/// By the contract.
const LIMIT: Duration = Duration::from_secs(10);

pub fn trials() -> Vec<Trial> {
    vec![
        trial("misuse::programs_without_kafka_say_so", || {
            // Port 9 of loopback: nobody listens there.
            says("localhost:9", "cargo lab up")
        }),
        trial("misuse::programs_without_their_topic_say_so", || {
            let broker = Broker::start()?;
            says(broker.bootstrap(), "Topic clickstream does not exist")
        }),
    ]
}

fn says(bootstrap: &str, words: &str) -> Result<()> {
    for version in [Version::Own, Version::Solution] {
        for (name, path) in programs(version)? {
            let mut program = Program::start(&name, &path, bootstrap)?;
            let status = program.wait_for_end(LIMIT)?;
            ensure!(status.code() == Some(1), "{name}: {status}");
            let last = program.last_lines();
            ensure!(last.contains(words), "no word of `{words}` in {last}");
        }
    }
    Ok(())
}
