//! The Kafka commands of the slides, run by `cargo lab` on a Kafka that it has started.

use std::io::Write;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use broker::{Docker, Way, run};
use libtest_mimic::Trial;

use crate::command_line::{CommandLine, LIMIT, text};
use crate::trial;

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("commands::the_slides_commands_work", slides_commands),
        trial("commands::a_taken_port_is_named", taken_port),
        trial("commands::an_unwritable_cache_is_named", unwritable_cache),
        trial(
            "commands::options_for_all_jvms_do_not_reach_kafka",
            java_options,
        ),
        trial(
            "commands::a_half_written_cache_is_made_anew",
            half_written_cache,
        ),
        trial(
            "commands::what_is_not_built_yet_is_built_and_started",
            extras,
        ),
    ];
    if matches!(Way::for_private(), Ok(Way::Docker(_))) {
        trials.push(trial(
            "commands::a_container_of_somebody_else_is_left_alone",
            foreign_container,
        ));
    }
    trials
}

fn has(text: &str, words: &str) -> Result<()> {
    ensure!(
        text.contains(words),
        "this text does not contain `{words}`:\n{text}"
    );
    Ok(())
}

fn slides_commands() -> Result<()> {
    let lab = CommandLine::new()?;
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

    let old = "kafka-console-producer --broker-list localhost:9092 --topic orders";
    let said = lab.refused(&mut lab.command(old))?;
    has(&said, "Use --bootstrap-server")?;
    ensure!(said.lines().count() == 1, "{said}");

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
        .context("the command has no standard input")?
        .write_all(orders.as_bytes())?;
    text(&producer.wait_with_output()?)?;

    let consumed = lab.run(
        "kafka-console-consumer --topic orders --from-beginning --property print.key=true \
         --property print.partition=true --property print.offset=true --max-messages 3 --timeout-ms 60000",
    )?;
    let messages: Vec<&str> = consumed.lines().collect();
    ensure!(
        messages.len() == 3,
        "the console consumer must print three messages, but it printed:\n{consumed}"
    );
    let mine: Vec<&&str> = messages
        .iter()
        .filter(|line| line.contains("user_123"))
        .collect();
    let partition = |line: &str| line.split_whitespace().next().map(ToString::to_string);
    ensure!(
        mine.len() == 2 && partition(mine[0]) == partition(mine[1]),
        "both messages of user_123 must be on one partition:\n{consumed}"
    );

    let group = "kafka-console-consumer --topic orders --group lab-group --from-beginning";
    ensure!(
        lab.run(&format!("{group} --max-messages 3 --timeout-ms 60000"))?
            .lines()
            .count()
            == 3,
        "the group must read all three messages"
    );
    ensure!(
        lab.run(&format!("{group} --timeout-ms 5000"))?
            .lines()
            .count()
            == 0,
        "the group must continue after the three messages, so it must read nothing"
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
    has(&lab.run("down")?, "No Kafka is running")?;
    let after = lab.refused(&mut lab.command("kafka-topics --list"))?;
    has(&after, "cargo lab up")
}

fn taken_port() -> Result<()> {
    let lab = CommandLine::new()?;
    let _squatter = std::net::TcpListener::bind(("127.0.0.1", lab.port()))?;
    let said = lab.refused(&mut lab.command("up"))?;
    has(&said, &format!("Port {} is taken", lab.port()))?;
    has(&said, "KAFKA_LAB_PORT")
}

/// Somebody else's container has the name that the lab's would have.
fn foreign_container() -> Result<()> {
    let lab = CommandLine::new()?;
    let name = format!("kafka-broker-{}", lab.port());
    let docker = Docker::find()?;
    let run_docker = |words: &[&str]| run(docker.command().args(words), LIMIT);
    let id = text(&run_docker(&["create", "--name", &name, broker::image()])?)?;
    let refused = lab.refused(&mut lab.command("up"));
    let stopped = lab.run("down");
    let removed = run_docker(&["rm", id.trim()])?;
    ensure!(removed.status.success(), "{name} has been removed");
    has(&refused?, &format!("docker rm -f {name}"))?;
    has(
        &stopped?,
        &format!("The container {name} was not made by this lab"),
    )
}

fn unwritable_cache() -> Result<()> {
    let lab = CommandLine::new()?;
    let file = tempfile::NamedTempFile::new()?;
    // The folder for the cache would be inside a file. Nobody can write there, not even root.
    let cache = file.path().join("cache");
    let mut up = lab.command("up");
    let said = lab.refused(
        up.env("KAFKA_LAB_CACHE", &cache)
            .env("KAFKA_LAB_BROKER", "jvm"),
    )?;
    has(&said, "KAFKA_LAB_CACHE")
}

/// Neither the broker nor a tool starts with these options: the garbage collector contradicts the lab's own, and there is no
/// such option or folder.
fn java_options() -> Result<()> {
    let lab = CommandLine::new()?;
    for arguments in ["up", "kafka-topics --list", "down"] {
        let mut command = lab.command(arguments);
        command
            .env("KAFKA_LAB_BROKER", "jvm")
            .env("JAVA_TOOL_OPTIONS", "-XX:+UseG1GC")
            .env("_JAVA_OPTIONS", "-Xmx1m")
            .env("JDK_JAVA_OPTIONS", "--no-such-option")
            .env("CLASSPATH", "/no-such-folder");
        let printed = text(&run(&mut command, LIMIT)?)?;
        ensure!(
            arguments != "kafka-topics --list" || printed.contains("clickstream"),
            "{printed}"
        );
    }
    Ok(())
}

/// If the jars are not complete, all of them are copied again, from Maven's own repository.
fn half_written_cache() -> Result<()> {
    let lab = CommandLine::new()?;
    let cache = tempfile::tempdir()?;
    let version = broker::DEFAULT_VERSION;
    let jars = cache.path().join(format!("jars-{version}"));
    std::fs::create_dir_all(&jars)?;
    std::fs::write(jars.join(format!("kafka_2.13-{version}.jar")), "half")?;
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
        "partial-0, which a killed process left behind, was not deleted"
    );
    Ok(())
}

/// `grade` and `watch` are executables of their own. They get the arguments unchanged.
fn extras() -> Result<()> {
    let lab = CommandLine::new()?;
    let help = text(&run(&mut lab.in_lab("grade --help"), LIMIT)?)?;
    has(&help, "Usage: cargo lab grade [OPTIONS]")?;
    has(&help, "--jobs <N>")?;
    has(&text(&run(&mut lab.in_lab("help grade"), LIMIT)?)?, &help)?;
    let help = text(&run(&mut lab.in_lab("watch --help"), LIMIT)?)?;
    has(&help, "Usage: cargo lab watch [OPTIONS] <GROUP>")?;
    let output = run(&mut lab.in_lab("grade no-such-folder"), LIMIT)?;
    ensure!(output.status.code() == Some(2), "{}", output.status);
    has(&String::from_utf8_lossy(&output.stderr), "no-such-folder")
}
