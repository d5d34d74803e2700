//! `cargo lab up`, `down`, `status` and `reset`: the lab's Kafka.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use broker::Lifetime;
use broker::shared::{Place, SharedKafka, foreign_container};
use cluster::{GroupTable, Kafka, table};
use common::{CLICKSTREAM, GROUPS, TOPICS};
use terminal::running;

/// How long to wait until a group has no members. A program that was killed stays a member until its session times out: after
/// 10 s, or after librdkafka's default of 45 s if it sets no session timeout.
const MEMBERS_LIMIT: Duration = Duration::from_secs(60);

/// Starts the lab's Kafka and creates its topics.
pub fn up() -> Result<ExitCode> {
    let shared = start(Lifetime::Kept)?;
    for (topic, partitions) in TOPICS {
        println!("Topic {topic}, {}.", self::partitions(*partitions));
    }
    if let Place::Docker { .. } | Place::Jvm(_) = shared.place() {
        println!("It runs until you stop it with `cargo lab down`, which also deletes its data.");
    }
    if let Ok(port) = std::env::var("KAFKA_LAB_PORT") {
        println!(
            "Set KAFKA_LAB_PORT={port} in every terminal in which you use `cargo lab`. If you start a program without \
             `cargo lab`, set BOOTSTRAP_SERVERS={}.",
            shared.bootstrap
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts the lab's Kafka if it is not running, and creates the topics that are missing. Prints a line that says where it runs.
///
/// # Errors
/// When Kafka cannot be started or does not answer, or when a topic has the wrong number of partitions.
pub fn start(lifetime: Lifetime) -> Result<SharedKafka> {
    let shared = SharedKafka::up(lifetime)?;
    let kafka = Kafka::at(&shared.bootstrap);
    // Fails if a cluster of the user's own does not answer: then it must not be called running.
    kafka.partitions(CLICKSTREAM)?;
    match shared.started {
        Some(after) => println!("{shared}, started in {:.1} s.", after.as_secs_f32()),
        None => println!("{shared}, already running."),
    }
    let mut missing = Vec::new();
    for (topic, partitions) in TOPICS {
        match kafka.partitions(topic)? {
            None => missing.push((*topic, *partitions)),
            Some(found) if found == *partitions => {}
            Some(found) => bail!(
                "topic {topic} has {}, but the lab needs {partitions}. `cargo lab reset` deletes it and creates it again",
                self::partitions(found)
            ),
        }
    }
    if !missing.is_empty() {
        kafka.create_topics(&missing)?;
    }
    Ok(shared)
}

/// A number of partitions, in words.
pub fn partitions(count: i32) -> String {
    match count {
        1 => "1 partition".to_string(),
        several => format!("{several} partitions"),
    }
}

/// The lab's Kafka, and the number of partitions of this topic.
///
/// # Errors
/// When Kafka is not running, or the topic does not exist.
pub fn with_topic(topic: &str) -> Result<(Kafka, i32)> {
    let kafka = Kafka::at(&running()?.bootstrap);
    let Some(partitions) = kafka.partitions(topic)? else {
        bail!("there is no topic {topic}. `cargo lab up` creates it");
    };
    Ok((kafka, partitions))
}

/// Stops the lab's Kafka, if it is running.
pub fn down() -> Result<ExitCode> {
    match SharedKafka::find()? {
        Some(mut shared) => {
            shared.down()?;
            println!("Kafka is stopped, and its data is deleted.");
        }
        None => {
            println!("No Kafka is running for the lab.");
            if let Some(container) = foreign_container()? {
                println!(
                    "The container {container} was not made by this lab, so the lab does not touch it."
                );
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows the lab's topics and groups. The exit status is 1 if no Kafka is running.
pub fn status() -> Result<ExitCode> {
    let Some(shared) = SharedKafka::find()? else {
        println!("No Kafka is running for the lab. `cargo lab up` starts one.");
        return Ok(ExitCode::FAILURE);
    };
    println!("{shared}");
    let kafka = Kafka::at(&shared.bootstrap);
    let mut rows = Vec::new();
    for (topic, _) in TOPICS {
        rows.push(match kafka.partitions(topic)? {
            Some(partitions) => {
                let ends = kafka.ends(topic)?;
                let ends: Vec<String> = ends.iter().map(ToString::to_string).collect();
                [topic.to_string(), partitions.to_string(), ends.join(", ")]
            }
            None => [
                topic.to_string(),
                "none: create it with `cargo lab up`".to_string(),
                String::new(),
            ],
        });
    }
    println!(
        "{}",
        table(&["topic", "partitions", "end offsets"], &[], rows)
    );
    for group in groups(&kafka)? {
        println!("{group}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Empties the lab's topics and deletes its groups. On a cluster of the user's own, it does so only if `yes`.
pub fn reset(yes: bool) -> Result<ExitCode> {
    let shared = running()?;
    if let (Place::Yours, false) = (shared.place(), yes) {
        bail!(
            "this would delete the lab's topics and groups on your own cluster at {}. If you want that, run \
             `cargo lab reset --yes`",
            shared.bootstrap
        );
    }
    empty(&Kafka::at(&shared.bootstrap))?;
    println!("The lab's topics are empty, and its groups are deleted.");
    Ok(ExitCode::SUCCESS)
}

/// Are there events in the lab's topics, or any of the lab's groups?
pub fn is_used(kafka: &Kafka) -> Result<bool> {
    for (topic, _) in TOPICS {
        if kafka.partitions(topic)?.is_some() && kafka.ends(topic)?.iter().sum::<i64>() > 0 {
            return Ok(true);
        }
    }
    Ok(!groups(kafka)?.is_empty())
}

/// The lab's groups that have a member or have committed an offset.
fn groups(kafka: &Kafka) -> Result<Vec<GroupTable>> {
    let mut groups = Vec::new();
    for (group, topic) in GROUPS {
        if kafka.partitions(topic)?.is_some() {
            groups.push(GroupTable::read(kafka, group, topic)?);
        }
    }
    groups.retain(|group| {
        let mut rows = group.rows.iter();
        rows.any(|row| row.committed.is_some() || row.owner.is_some())
    });
    Ok(groups)
}

/// Deletes the lab's groups and topics, and creates the topics again.
///
/// # Errors
/// When a group still has members after 60 s, or Kafka refuses a request.
pub fn empty(kafka: &Kafka) -> Result<()> {
    for (group, topic) in GROUPS {
        let members = kafka.members(group, topic)?;
        if !members.is_empty() {
            let names: Vec<&str> = members
                .iter()
                .map(|member| member.client_id.as_str())
                .collect();
            println!(
                "Group {group} still has members: {}. Stop them with Ctrl-C. (A program that crashed stays a member until its \
                 session times out: 10 s, or 45 s if it sets no session timeout.)",
                names.join(" and ")
            );
        }
        kafka.delete_group(group, MEMBERS_LIMIT)?;
    }
    let names: Vec<&str> = TOPICS.iter().map(|(topic, _)| *topic).collect();
    kafka.delete_topics(&names)?;
    kafka.create_topics(TOPICS)
}
