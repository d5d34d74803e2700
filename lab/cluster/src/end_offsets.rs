//! The end offsets of topics. The leader of each partition knows them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest, MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::group_description::TopicPartition;
use crate::isolation::Isolation;
use crate::wire::Brokers;

/// The timestamp that stands for the end of a partition.
const LATEST: i64 = -1;

/// The replica id of a client, which is no replica.
const CLIENT: BrokerId = BrokerId(-1);

/// The partitions of some topics, by the broker that leads them.
#[derive(Clone, Debug, Default)]
pub struct Leaders {
    /// The address of each broker, and the numbers of the partitions that it leads, by topic.
    brokers: Vec<(String, BTreeMap<String, Vec<i32>>)>,
    /// All partitions, with or without a leader.
    partitions: Vec<TopicPartition>,
}

/// Which brokers lead the partitions of those of these topics that exist.
///
/// # Errors
/// If no broker answers within `limit`.
pub fn leaders(
    brokers: &mut Brokers,
    topics: &BTreeSet<String>,
    limit: Duration,
) -> Result<Leaders> {
    /// The first version in which a client can say that the question must not create the topic.
    const METADATA: i16 = 4;
    let asked = topics
        .iter()
        .map(|topic| MetadataRequestTopic::default().with_name(Some(name(topic))));
    let metadata = MetadataRequest::default()
        .with_topics(Some(asked.collect()))
        .with_allow_auto_topic_creation(false);
    let metadata = brokers.ask_any(&metadata, METADATA, limit)?;

    let mut leaders = Leaders::default();
    let mut by_leader: BTreeMap<BrokerId, BTreeMap<String, Vec<i32>>> = BTreeMap::new();
    for topic in metadata.topics {
        let topic_name = topic.name.unwrap_or_default();
        for partition in topic.partitions {
            let number = partition.partition_index;
            leaders.partitions.push(at(&topic_name, number));
            let of_leader = by_leader.entry(partition.leader_id).or_default();
            of_leader
                .entry(topic_name.to_string())
                .or_default()
                .push(number);
        }
    }
    for broker in metadata.brokers {
        if let Some(topics) = by_leader.remove(&broker.node_id) {
            let address = format!("{}:{}", &*broker.host, broker.port);
            leaders.brokers.push((address, topics));
        }
    }
    Ok(leaders)
}

/// The end offset of each partition; `None` if it has no leader, or if the broker does not lead it any more.
///
/// With [`Isolation::ReadCommitted`], a partition ends at the first record of an open transaction.
///
/// # Errors
/// If a broker does not answer within `limit`.
pub fn ends(
    brokers: &mut Brokers,
    leaders: &Leaders,
    isolation: Isolation,
    limit: Duration,
) -> Result<BTreeMap<TopicPartition, Option<i64>>> {
    /// The first version with an isolation level.
    const LIST_OFFSETS: i16 = 2;
    let partitions = leaders.partitions.iter();
    let mut ends: BTreeMap<_, _> = partitions.map(|at| (at.clone(), None)).collect();
    for (address, topics) in &leaders.brokers {
        let topics = topics.iter().map(|(topic, partitions)| {
            let partitions = partitions.iter().map(|number| {
                ListOffsetsPartition::default()
                    .with_partition_index(*number)
                    .with_timestamp(LATEST)
            });
            ListOffsetsTopic::default()
                .with_name(name(topic))
                .with_partitions(partitions.collect())
        });
        let question = ListOffsetsRequest::default()
            .with_replica_id(CLIENT)
            .with_isolation_level(isolation.code())
            .with_topics(topics.collect());
        let answer = brokers.ask(address, &question, LIST_OFFSETS, limit)?;
        for topic in answer.topics {
            for partition in topic.partitions {
                let end = (partition.error_code == 0).then_some(partition.offset);
                ends.insert(at(&topic.name, partition.partition_index), end);
            }
        }
    }
    Ok(ends)
}

fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_string()))
}

fn at(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition {
        topic: topic.to_string(),
        partition,
    }
}
