//! A topic can be asked about from the moment it exists, although its partitions have no leaders yet.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use broker::wait;
use cluster::Kafka;
use libtest_mimic::Trial;

use crate::{POOL, trial};

/// The broker takes over so many partitions one after the other, so that some have no leader for a while.
const PARTITIONS: i32 = 200;

pub fn trials() -> Vec<Trial> {
    vec![trial(
        "new_topic::its_ends_are_known_as_soon_as_it_exists",
        its_ends,
    )]
}

fn its_ends() -> Result<()> {
    const TOPIC: &str = "new";
    let bench = POOL.lend()?;
    let other = Kafka::at(bench.kafka.bootstrap());
    let creation = thread::spawn(move || other.create_topics(&[(TOPIC, PARTITIONS)]));
    wait::until("the topic to exist", Duration::from_secs(60), || {
        Ok(bench.kafka.partitions(TOPIC)?.is_some().then_some(()))
    })?;
    let ends = bench.kafka.ends(TOPIC);
    let created = creation.join().ok().context("the creation panicked")?;
    created?;
    let ends = ends?;
    ensure!(
        ends.len() == usize::try_from(PARTITIONS)? && ends.iter().all(|end| *end == 0),
        "{ends:?}"
    );
    Ok(())
}
