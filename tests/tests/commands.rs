//! The slides' Kafka commands through `cargo lab`, on a Kafka that it started.

use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Error, Result, ensure};
use broker::{free_port, run};
use checks::programs::{build_in, workspace};
use libtest_mimic::Trial;

use crate::trial;

/// Where a lab of the tests listens: apart from private brokers, for it may take a while until it does.
const PORTS: Range<u16> = 10_000..16_384;

/// How long a command may take that nothing is in the way of.
const LIMIT: Duration = Duration::from_secs(300);

pub fn trials() -> Vec<Trial> {
    vec![
        trial("commands::the_slides_commands_work", slides_commands),
        trial("commands::a_taken_port_is_named", taken_port),
        trial("commands::an_unwritable_cache_is_named", unwritable_cache),
        trial(
            "commands::a_half_written_cache_is_made_anew",
            half_written_cache,
        ),
    ]
}

/// The `lab` executable with a port of its own, so that it never meets the Kafka someone is working with.
pub struct Lab {
    port: u16,
    executable: PathBuf,
}

impl Lab {
    pub fn new() -> Result<Self> {
        let port = free_port(PORTS)?;
        static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let build =
            || Ok(build_in(workspace(), &[("lab".to_string(), "lab".to_string())])?.remove(0));
        let built = BUILT.get_or_init(|| build().map_err(|error: Error| format!("{error:#}")));
        let executable = built.clone().map_err(Error::msg)?;
        Ok(Self { port, executable })
    }

    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(&self.executable);
        command.args(arguments.split_whitespace());
        self.isolate(command)
    }

    /// A shell script in which `$0` is the executable.
    pub fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(&self.executable);
        self.isolate(command)
    }

    fn isolate(&self, mut command: Command) -> Command {
        command
            .env("KAFKA_LAB_PORT", self.port.to_string())
            .env_remove("BOOTSTRAP_SERVERS")
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end; its exit status must be 0. Returns standard output.
    pub fn run(&self, arguments: &str) -> Result<String> {
        let output = run(&mut self.command(arguments), LIMIT);
        output
            .and_then(|output| text(&output))
            .with_context(|| arguments.to_string())
    }

    /// Runs it to its end; its exit status must not be 0. Returns standard error.
    pub fn refused(&self, command: &mut Command) -> Result<String> {
        let output = run(command, LIMIT)?;
        ensure!(!output.status.success(), "it succeeded");
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = run(&mut self.command("down"), LIMIT);
    }
}

fn text(output: &Output) -> Result<String> {
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}\n{out}\n{err}", output.status);
    Ok(out)
}

fn has(text: &str, words: &str) -> Result<()> {
    ensure!(text.contains(words), "no `{words}` in:\n{text}");
    Ok(())
}

fn slides_commands() -> Result<()> {
    let lab = Lab::new()?;
    has(&lab.run("up")?, "clickstream")?;
    has(&lab.run("up")?, "running")?;

    lab.run("kafka-topics --create --topic orders --partitions 3 --replication-factor 1")?;
    let listed = lab.run("kafka-topics --list")?;
    has(&listed, "orders")?;
    has(&listed, "clickstream")?;
    has(
        &lab.run("kafka-topics --describe --topic orders")?,
        "PartitionCount: 3",
    )?;
    has(
        &lab.run("kafka-configs --describe --entity-type topics --entity-name orders")?,
        "Dynamic configs for topic orders",
    )?;

    let mut producer = lab
        .command("kafka-console-producer --topic orders --property parse.key=true --property key.separator=:")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let orders = r#"user_123:{"order_id": "A1", "amount": 49.99, "status": "placed"}
user_456:{"order_id": "A2", "amount": 12.50, "status": "placed"}
user_123:{"order_id": "A3", "amount": 89.00, "status": "placed"}
"#;
    producer
        .stdin
        .take()
        .context("no input")?
        .write_all(orders.as_bytes())?;
    text(&producer.wait_with_output()?)?;

    let consumed = lab.run(
        "kafka-console-consumer --topic orders --from-beginning --property print.key=true \
         --property print.partition=true --property print.offset=true --max-messages 3 --timeout-ms 60000",
    )?;
    let messages: Vec<&str> = consumed.lines().collect();
    ensure!(messages.len() == 3, "three messages:\n{consumed}");
    let mine: Vec<&&str> = messages
        .iter()
        .filter(|line| line.contains("user_123"))
        .collect();
    let partition = |line: &str| line.split_whitespace().next().map(ToString::to_string);
    ensure!(
        mine.len() == 2 && partition(mine[0]) == partition(mine[1]),
        "user_123 on one partition:\n{consumed}"
    );

    let group = "kafka-console-consumer --topic orders --group lab-group --from-beginning";
    ensure!(
        lab.run(&format!("{group} --max-messages 3 --timeout-ms 60000"))?
            .lines()
            .count()
            == 3,
        "the group reads all three"
    );
    ensure!(
        lab.run(&format!("{group} --timeout-ms 5000"))?
            .lines()
            .count()
            == 0,
        "and goes on after them, where nothing else is"
    );
    let described = lab.run("kafka-consumer-groups --group lab-group --describe")?;
    has(&described, "CURRENT-OFFSET")?;

    has(
        &lab.run("kafka-consumer-groups --group nobody --describe")?,
        "There is no consumer group nobody",
    )?;
    has(&lab.run("status")?, "clickstream")?;
    lab.run("reset")?;
    has(&lab.run("doctor")?, "3 partitions")?;
    lab.run("down")?;
    has(&lab.run("down")?, "No Kafka runs")?;
    let after = lab.refused(&mut lab.command("kafka-topics --list"))?;
    has(&after, "cargo lab up")
}

fn taken_port() -> Result<()> {
    let lab = Lab::new()?;
    let _squatter = std::net::TcpListener::bind(("127.0.0.1", lab.port()))?;
    let said = lab.refused(&mut lab.command("up"))?;
    has(&said, &format!("Port {} is taken", lab.port()))?;
    has(&said, "KAFKA_LAB_PORT")
}

fn unwritable_cache() -> Result<()> {
    let lab = Lab::new()?;
    let file = tempfile::NamedTempFile::new()?;
    // A file where the folder should be: nobody, not even root, can write into that.
    let cache = file.path().join("cache");
    let mut up = lab.command("up");
    let said = lab.refused(
        up.env("KAFKA_LAB_CACHE", &cache)
            .env("KAFKA_LAB_BROKER", "jvm"),
    )?;
    has(&said, "KAFKA_LAB_CACHE")
}

/// Jars that did not all arrive are fetched again, from Maven's own store.
fn half_written_cache() -> Result<()> {
    let lab = Lab::new()?;
    let cache = tempfile::tempdir()?;
    let jars = cache.path().join("jars-4.3.0");
    std::fs::create_dir_all(&jars)?;
    std::fs::write(jars.join("kafka_2.13-4.3.0.jar"), "half")?;
    std::fs::create_dir_all(cache.path().join("partial-0"))?;
    for arguments in ["up", "down"] {
        let mut command = lab.command(arguments);
        command
            .env("KAFKA_LAB_CACHE", cache.path())
            .env("KAFKA_LAB_BROKER", "jvm");
        text(&run(&mut command, LIMIT)?)?;
    }
    ensure!(
        !cache.path().join("partial-0").exists(),
        "what a killed process left is still there"
    );
    Ok(())
}
