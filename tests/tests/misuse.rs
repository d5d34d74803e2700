//! Lab programs without what they need end with a message that says what to do.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use broker::Broker;
use checks::programs::Version;
use checks::{Kafka, Program};
use common::TOPICS;
use libtest_mimic::Trial;

use crate::{programs, trial};

/// By the contract 10 s, on a machine that is not as busy.
const LIMIT: Duration = Duration::from_secs(120);

pub fn trials() -> Vec<Trial> {
    vec![
        trial("misuse::programs_without_kafka_say_so", || {
            // Port 9 of loopback: nobody listens there.
            says("localhost:9", "cargo lab up")
        }),
        trial("misuse::programs_without_their_topic_say_so", || {
            let broker = Broker::start()?;
            says(broker.bootstrap(), "does not exist")
        }),
        trial(
            "misuse::a_program_ends_without_a_word_when_nobody_reads_on",
            reader_goes,
        ),
    ]
}

/// `producer | head -1`, and the same with a consumer.
fn reader_goes() -> Result<()> {
    let broker = Broker::start()?;
    Kafka::at(broker.bootstrap()).create_topics(TOPICS)?;
    for name in ["producer", "consumer"] {
        let path = programs(Version::Solution)?[name].clone();
        let mut shell = Command::new("bash");
        shell
            .args(["-c", "set -o pipefail; \"$0\" | head -1"])
            .arg(path)
            .env("BOOTSTRAP_SERVERS", broker.bootstrap());
        let mut pipe = Program::run(name, &mut shell)?;
        let status = pipe.wait_for_end(LIMIT)?;
        ensure!(
            status.code() == Some(141),
            "{name}: {status}; {}",
            pipe.last_lines()
        );
        ensure!(pipe.errors().is_empty(), "{}", pipe.last_lines());
    }
    Ok(())
}

fn says(bootstrap: &str, words: &str) -> Result<()> {
    for version in [Version::Own, Version::Solution] {
        let built = programs(version)?;
        let started = built
            .iter()
            .map(|(name, path)| Ok((name, Program::start(name, path, bootstrap)?)));
        for (name, mut program) in started.collect::<Result<Vec<_>>>()? {
            let status = program.wait_for_end(LIMIT)?;
            ensure!(status.code() == Some(1), "{name}: {status}");
            let last = program.last_lines();
            ensure!(last.contains(words), "no word of `{words}` in {last}");
        }
    }
    Ok(())
}
