//! `cargo lab up`, `down`, `status` and `reset`: Kafka for the lab.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use broker::Lifetime;
use broker::shared::{Place, SharedKafka};
use cluster::{GroupTable, Kafka, table};
use common::{CLICKSTREAM, GROUPS, TOPICS};
use terminal::running;

/// A program that was killed stays a member for its session timeout: 10 s, or librdkafka's 45 s where it sets none.
const MEMBERS_LIMIT: Duration = Duration::from_secs(60);

pub fn up() -> Result<ExitCode> {
    let lab = start(Lifetime::Kept)?;
    for (topic, partitions) in TOPICS {
        println!("Topic {topic}, {}.", self::partitions(*partitions));
    }
    if let Place::Docker { .. } | Place::Jvm(_) = lab.place() {
        println!("It runs until `cargo lab down`, which also removes its data.");
    }
    if let Ok(port) = std::env::var("KAFKA_LAB_PORT") {
        println!(
            "Every terminal needs KAFKA_LAB_PORT={port}; programs started without `cargo lab`, BOOTSTRAP_SERVERS={}.",
            lab.bootstrap
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The lab's Kafka with its topics, started if it does not run; says so in a line.
pub fn start(lifetime: Lifetime) -> Result<SharedKafka> {
    let lab = SharedKafka::up(lifetime)?;
    let kafka = Kafka::at(&lab.bootstrap);
    // A cluster that does not answer should not be called running.
    kafka.partitions(CLICKSTREAM)?;
    match lab.started {
        Some(after) => println!("{lab}, started in {:.1} s.", after.as_secs_f32()),
        None => println!("{lab}, running."),
    }
    let mut missing = Vec::new();
    for (topic, partitions) in TOPICS {
        match kafka.partitions(topic)? {
            None => missing.push((*topic, *partitions)),
            Some(found) if found == *partitions => {}
            Some(found) => bail!(
                "topic {topic} has {}, but the lab needs {partitions}: `cargo lab reset` makes it anew",
                self::partitions(found)
            ),
        }
    }
    if !missing.is_empty() {
        kafka.create_topics(&missing)?;
    }
    Ok(lab)
}

/// So many partitions, in words.
pub fn partitions(count: i32) -> String {
    match count {
        1 => "1 partition".to_string(),
        several => format!("{several} partitions"),
    }
}

/// The lab's Kafka, which must run and have this topic; and how many partitions that has.
pub fn with_topic(topic: &str) -> Result<(Kafka, i32)> {
    let kafka = Kafka::at(&running()?.bootstrap);
    let Some(partitions) = kafka.partitions(topic)? else {
        bail!("there is no topic {topic}; `cargo lab up` creates it");
    };
    Ok((kafka, partitions))
}

pub fn down() -> Result<ExitCode> {
    match SharedKafka::find()? {
        Some(mut lab) => {
            lab.down()?;
            println!("Kafka has stopped, and its data is gone.");
        }
        None => println!("No Kafka runs for the lab."),
    }
    Ok(ExitCode::SUCCESS)
}

pub fn status() -> Result<ExitCode> {
    let Some(lab) = SharedKafka::find()? else {
        println!("No Kafka runs for the lab; `cargo lab up` starts one.");
        return Ok(ExitCode::FAILURE);
    };
    println!("{lab}");
    let kafka = Kafka::at(&lab.bootstrap);
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
                "missing: `cargo lab up`".to_string(),
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

pub fn reset(yes: bool) -> Result<ExitCode> {
    let lab = running()?;
    if let (Place::Yours, false) = (lab.place(), yes) {
        bail!(
            "this would delete topics and groups on your own cluster at {}; `cargo lab reset --yes` does",
            lab.bootstrap
        );
    }
    empty(&Kafka::at(&lab.bootstrap))?;
    println!("The lab's topics are empty, and its groups are forgotten.");
    Ok(ExitCode::SUCCESS)
}

/// Does the cluster hold events or groups of the lab?
pub fn is_used(kafka: &Kafka) -> Result<bool> {
    for (topic, _) in TOPICS {
        if kafka.partitions(topic)?.is_some() && kafka.ends(topic)?.iter().sum::<i64>() > 0 {
            return Ok(true);
        }
    }
    Ok(!groups(kafka)?.is_empty())
}

/// The lab's groups that have a member, or have committed something.
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

/// Deletes the lab's groups, and makes its topics anew.
pub fn empty(kafka: &Kafka) -> Result<()> {
    for (group, topic) in GROUPS {
        let members = kafka.members(group, topic)?;
        if !members.is_empty() {
            let names: Vec<&str> = members
                .iter()
                .map(|member| member.client_id.as_str())
                .collect();
            println!(
                "{group} has a member, {}: stop it with Ctrl-C. (One that crashed goes by itself after its session timeout: 10 s, or 45 s where it sets none.)",
                names.join(" and ")
            );
        }
        kafka.delete_group(group, MEMBERS_LIMIT)?;
    }
    let names: Vec<&str> = TOPICS.iter().map(|(topic, _)| *topic).collect();
    kafka.delete_topics(&names)?;
    kafka.create_topics(TOPICS)
}
