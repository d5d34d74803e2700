//! The starters build without a warning, run, and show the wrong behaviour that their task is about.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use broker::{Broker, wait};
use checks::programs::{PROGRAMS, Version, cargo};
use checks::{Kafka, Program, TASKS, crash_in_a_batch, holes, random_events, variant};
use common::{ANALYTICS_SERVICE, CLICKSTREAM, Event};
use libtest_mimic::Trial;

use crate::outcomes::on_stage;
use crate::{programs, trial};

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("starters::build_without_a_warning", without_warnings),
        trial(
            "starters::producer_without_flush_delivers_nothing",
            nothing_arrives,
        ),
        trial(
            "starters::producer_without_key_scatters_a_user",
            scattered_users,
        ),
        trial("starters::consumer_killed_in_a_batch_loses_it", || {
            fails(
                crash_in_a_batch,
                "nothing is committed before it is processed",
            )
        }),
        trial(
            "starters::consumer_commits_by_the_clock",
            commits_by_the_clock,
        ),
    ];
    for (task, words) in TASKS.iter().zip([
        "every delivery is reported",
        "committed batches",
        "`assigned`",
    ]) {
        trials.push(trial(
            &format!("starters::fail_task{}", task.number),
            || fails(task.run, words),
        ));
    }
    trials
}

/// The task must differ from the slides with the starters, and these words must be in what it says.
fn fails(task: fn(&mut checks::Stage) -> Result<()>, words: &str) -> Result<()> {
    let Err(error) = on_stage(programs(Version::Own)?, task) else {
        anyhow::bail!("the starters pass");
    };
    let text = format!("{error:#}");
    ensure!(
        text.contains(words),
        "they fail, but not with `{words}`: {text}"
    );
    Ok(())
}

fn without_warnings() -> Result<()> {
    let mut check = cargo("check");
    check.arg("--message-format=json");
    for program in PROGRAMS {
        check.args(["--package", program]);
    }
    let output = check.output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        let lab_crate = message["manifest_path"].as_str().unwrap_or_default();
        ensure!(
            message["reason"] != "compiler-message",
            "{lab_crate}: {}",
            message["message"]["rendered"].as_str().unwrap_or_default()
        );
    }
    Ok(())
}

/// On a broker that answers late, as a real one may, not one event of a producer that does not flush arrives.
fn nothing_arrives() -> Result<()> {
    let (broker, kafka) = broker()?;
    let starters = programs(Version::Own)?;
    let mut producer = Program::start("producer", &starters["producer"], kafka.bootstrap())?;
    let status = producer.wait_for_end(Duration::from_secs(30))?;
    let arrived: i64 = kafka.ends(CLICKSTREAM)?.iter().sum();
    ensure!(arrived == 0, "{arrived} events arrived; {broker}");
    ensure!(status.success(), "it does not even claim success: {status}");
    Ok(())
}

/// The producer with every hole filled but that of the key.
fn scattered_users() -> Result<()> {
    let keyless = holes::filled("producer/src/main.rs", |hole| hole != 3)?;
    let producer = variant::build("producer_without_key", &keyless)?;
    let (_broker, kafka) = broker()?;
    let mut producer = Program::start("producer", &producer, kafka.bootstrap())?;
    producer.wait_for_end(Duration::from_secs(30))?;
    let records = kafka.records(CLICKSTREAM)?;
    ensure!(records.len() == 100, "{} events arrived", records.len());
    let mut partitions: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for record in records {
        let event: Event = serde_json::from_str(&record.value)?;
        partitions
            .entry(event.user_id)
            .or_default()
            .insert(record.partition);
    }
    let scattered = partitions
        .values()
        .filter(|partitions| partitions.len() > 1)
        .count();
    ensure!(
        scattered > 0,
        "every user is on one partition: {partitions:?}"
    );
    Ok(())
}

/// With the default, offsets move by a timer: also past the last whole batch.
fn commits_by_the_clock() -> Result<()> {
    let (_broker, kafka) = broker()?;
    let starters = programs(Version::Own)?;
    kafka.publish(CLICKSTREAM, &random_events(0, 25))?;
    let _consumer = Program::start("consumer", &starters["consumer"], kafka.bootstrap())?;
    wait::until(
        "all 25 events to be committed",
        Duration::from_secs(30),
        || {
            let committed = kafka.committed(ANALYTICS_SERVICE, CLICKSTREAM)?;
            Ok((committed.iter().flatten().sum::<i64>() == 25).then_some(()))
        },
    )
    .context("the starter does not commit by itself")
}

fn broker() -> Result<(Broker, Kafka)> {
    let broker = Broker::start()?;
    let kafka = Kafka::at(broker.bootstrap());
    kafka.create_topic(CLICKSTREAM, 3)?;
    Ok((broker, kafka))
}
