//! Kafka's own performance tests. They are written in Java, and do no more than the client alone.

use std::fmt::Write;
use std::process::Command;

use anyhow::{Context, Result};
use broker::{last_lines, tools};
use judge::random_events;
use tempfile::NamedTempFile;

use crate::stand::{LIMIT, Stand};

/// How many different events the producer sends, again and again.
const PAYLOADS: u64 = 10_000;

/// How many users the lab has; each is a key.
const USERS: &str = "20";

/// Whether this machine can run them.
pub fn has_java() -> bool {
    tools::performance_test("Producer").is_ok_and(|test| test.is_some())
}

/// Returns how many events a second `kafka-producer-perf-test` publishes, once it has published as many to warm up the JVM.
///
/// # Errors
/// If it cannot be started, if it ends before its time, or on Ctrl-C.
pub fn producer_speed(stand: &Stand, topic: &str, events: u64, settings: &str) -> Result<f64> {
    let payloads = payloads()?;
    let mut test = test("Producer")?;
    test.args(["--bootstrap-server", stand.kafka.bootstrap()])
        .args(["--topic", topic, "--throughput", "-1"])
        .args(["--num-records", &(2 * events).to_string()])
        .args(["--warmup-records", &events.to_string()])
        .args(["--record-key-range", USERS, "--key-distribution", "random"])
        .arg("--payload-file")
        .arg(payloads.path())
        .arg("--command-property")
        .args(settings.split_whitespace());
    printed(&mut test, speed_of_producer)
}

/// Returns how many events a second `kafka-consumer-perf-test` reads, from its first fetch on.
///
/// # Errors
/// If it cannot be started, if it ends before its time, or on Ctrl-C.
pub fn consumer_speed(stand: &Stand, topic: &str, group: &str) -> Result<f64> {
    let mut test = test("Consumer")?;
    test.args(["--bootstrap-server", stand.kafka.bootstrap()])
        .args(["--topic", topic, "--group", group, "--hide-header"])
        .args(["--num-records", &stand.events.to_string()]);
    printed(&mut test, speed_of_consumer)
}

fn test(which: &str) -> Result<Command> {
    tools::performance_test(which)?.context("this Kafka's performance tests have other options")
}

/// Events of the lab, one a line.
fn payloads() -> Result<NamedTempFile> {
    let mut text = String::new();
    for event in random_events(0, PAYLOADS) {
        writeln!(text, "{}", serde_json::to_string(&event)?)?;
    }
    let file = NamedTempFile::new()?;
    std::fs::write(file.path(), text)?;
    Ok(file)
}

fn printed(test: &mut Command, speed: fn(&str) -> Option<f64>) -> Result<f64> {
    let output = broker::run(test, LIMIT)?;
    speed(&String::from_utf8_lossy(&output.stdout)).with_context(|| {
        format!(
            "Kafka's performance test measured nothing. It printed last:\n{}{}",
            last_lines(&output.stdout, 3),
            last_lines(&output.stderr, 5)
        )
    })
}

/// The last line is `200000 steady state records sent, 50722.799899 records/sec (4.69 MB/sec), …`.
fn speed_of_producer(printed: &str) -> Option<f64> {
    let line = printed
        .lines()
        .find(|line| line.contains("steady state records sent"))?;
    let (before, _) = line.split_once(" records/sec")?;
    before.rsplit(' ').next()?.parse().ok()
}

/// The line ends with the time of all fetches in milliseconds, megabytes a second, and records a second.
fn speed_of_consumer(printed: &str) -> Option<f64> {
    let line = printed
        .lines()
        .rfind(|line| line.split(", ").count() == 10)?;
    line.rsplit(", ").next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{speed_of_consumer, speed_of_producer};

    #[test]
    fn speeds_are_read_from_what_the_tests_print() {
        let producer = "300000 records sent, 53380.782918 records/sec (4.94 MB/sec), 2042.27 ms avg latency\n\
                        200000 steady state records sent, 50722.799899 records/sec (4.69 MB/sec), 2573.88 ms avg latency\n";
        assert_eq!(speed_of_producer(producer), Some(50_722.799_899));
        assert_eq!(speed_of_producer("Reading payloads from: f"), None);
        let consumer = "2026-11-29 16:25:21:279, 2026-11-29 16:25:22:531, 28.1798, 22.5078, 300000, 239616.6134, 588, 664, \
                        42.4394, 451807.2289\n";
        assert_eq!(speed_of_consumer(consumer), Some(451_807.228_9));
        assert_eq!(speed_of_consumer("WARNING: Exiting before"), None);
    }
}
