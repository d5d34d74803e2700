//! `cargo lab partitions` says which partition each key belongs to. Real producers choose the same partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use cluster::Kafka;
use common::CLICKSTREAM;
use common::{Event, EventType};
use judge::programs::workspace;
use libtest_mimic::Trial;

use crate::command_line::CommandLine;
use crate::trial;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("partitions::records_land_where_the_table_says", land),
        trial("partitions::each_client_as_measured", each_client),
        trial("partitions::fit_into_eighty_columns", fit),
    ]
}

/// The partition of each key.
type Places = BTreeMap<String, i32>;

fn land() -> Result<()> {
    const OF_JAVA: &str = "of-java";
    let lab = CommandLine::new()?;
    let table = lab.run("partitions")?;
    lab.run("up")?;
    let kafka = Kafka::at(&format!("127.0.0.1:{}", lab.port()));

    kafka.publish(CLICKSTREAM, &events())?;
    let (expected, found) = (column(&table, 2)?, places(&kafka, CLICKSTREAM)?);
    ensure!(
        expected == found,
        "by librdkafka: the table says {expected:?}, but the records are in {found:?}"
    );

    kafka.create_topics(&[(OF_JAVA, 3)])?;
    let mut producer = lab
        .command(
            "kafka-console-producer --property parse.key=true --property key.separator=: --topic",
        )
        .arg(OF_JAVA)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let lines: String = events()
        .iter()
        .map(|event| format!("{}:x\n", event.user_id))
        .collect();
    let mut input = producer
        .stdin
        .take()
        .context("the command has no standard input")?;
    input.write_all(lines.as_bytes())?;
    drop(input);
    ensure!(producer.wait()?.success(), "the console producer failed");
    let (expected, found) = (column(&table, 5)?, places(&kafka, OF_JAVA)?);
    ensure!(
        expected == found,
        "by Java: the table says {expected:?}, but the records are in {found:?}"
    );
    Ok(())
}

/// docs/clients.md has the partitions that were seen with each client that the command knows.
fn each_client() -> Result<()> {
    let lab = CommandLine::new()?;
    let page = fs::read_to_string(workspace().join("docs/clients.md"))?;
    let (_, rows) = page
        .split_once("| hash of the key |")
        .context("docs/clients.md has no table of hashes")?;
    let rows = rows.lines().skip(2).take_while(|line| !line.is_empty());
    let mut clients = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, _, names, partitions @ .., _] = &cells[..] else {
            bail!("this row is too short: {row}");
        };
        let seen: Places = (0..)
            .zip(partitions)
            .flat_map(|(partition, users)| {
                let users = users.split(", ");
                users.map(move |user| (format!("user_{user}"), partition))
            })
            .collect();
        for client in names.split(", ") {
            let (client, _) = client.split_once(' ').context("no version")?;
            let drawn = column(&lab.run(&format!("partitions --client {client}"))?, 2)?;
            ensure!(
                drawn == seen,
                "{client}: drawn {drawn:?}, but seen {seen:?}"
            );
            clients.insert(client.to_string());
        }
    }

    let refused = lab.refused(&mut lab.command("partitions --client nobody"))?;
    let (_, list) = refused
        .split_once("possible values: ")
        .with_context(|| format!("it does not say which names it knows: {refused}"))?;
    let (list, _) = list.split_once(']').context("the list does not end")?;
    let known: BTreeSet<String> = list.split(", ").map(str::to_string).collect();
    ensure!(
        known == clients,
        "the command knows {known:?}, but docs/clients.md has {clients:?}"
    );
    Ok(())
}

/// One event for each of 20 users.
fn events() -> Vec<Event> {
    let event = |number| Event {
        event_id: number,
        user_id: format!("user_{number}"),
        event_type: EventType::Search,
        timestamp: 0.0,
        amount: None,
    };
    (1..=20).map(event).collect()
}

/// The partition of each user, from one column of the table.
fn column(table: &str, column: usize) -> Result<Places> {
    let rows = table.lines().map(str::trim_start);
    let places = rows.filter(|row| row.starts_with("user_")).map(|row| {
        let row = row.replace('→', " ");
        let cells: Vec<&str> = row.split_whitespace().collect();
        let cell = cells
            .get(column)
            .context("a row of the table has too few columns")?;
        Ok((cells[0].to_string(), cell.parse()?))
    });
    let places = places.collect::<Result<Places>>()?;
    ensure!(places.len() == 20, "{} users in:\n{table}", places.len());
    Ok(places)
}

/// The partition of each key in a topic.
fn places(kafka: &Kafka, topic: &str) -> Result<Places> {
    let records = kafka.records(topic)?.into_iter();
    Ok(records
        .filter_map(|record| Some((record.key()?.to_string(), record.partition)))
        .collect())
}

fn fit() -> Result<()> {
    let lab = CommandLine::new()?;
    for arguments in [
        "partitions",
        "partitions --partitions 12 one two three",
        "partitions --client sarama --client kafka-go-reference",
    ] {
        let printed = lab.run(arguments)?;
        for line in printed.lines() {
            ensure!(
                line.chars().count() <= 80,
                "this line has more than 80 characters: {line}"
            );
        }
    }
    Ok(())
}
