//! If a lab program lacks something that it needs, it ends with a message that says what to do.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use broker::Broker;
use cluster::Kafka;
use common::{CLICKSTREAM, TOPICS};
use judge::programs::Version;
use judge::{Program, random_events};
use libtest_mimic::Trial;

use crate::{programs, trial};

/// The contract allows 10 s, but the machine that runs the tests is busy.
const LIMIT: Duration = Duration::from_secs(120);

pub fn trials() -> Vec<Trial> {
    vec![
        trial("misuse::programs_without_kafka_say_so", || {
            // Nothing listens on port 9 of loopback.
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

/// A producer and a consumer, as in `producer | head -1` after `head` has ended.
fn reader_goes() -> Result<()> {
    let broker = Broker::start()?;
    let kafka = Kafka::at(broker.bootstrap());
    kafka.create_topics(TOPICS)?;
    kafka.publish(CLICKSTREAM, &random_events(0, 40))?;
    for name in ["producer", "consumer"] {
        let mut command = Command::new(&programs(Version::Solution)?[name]);
        command.env("BOOTSTRAP_SERVERS", broker.bootstrap());
        let mut program = Program::run_unread(name, &mut command)?;
        let status = program.wait_for_end(LIMIT)?;
        ensure!(
            status.code() == Some(141),
            "{name}: {status}; {}",
            program.last_lines()
        );
        ensure!(program.errors().is_empty(), "{}", program.last_lines());
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
            ensure!(
                last.contains(words),
                "{name} did not say `{words}`. Its last lines: {last}"
            );
        }
    }
    Ok(())
}
