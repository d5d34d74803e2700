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

/// The end offset of each partition of those of these topics that exist. `None` if a partition has no leader at the moment.
///
/// With [`Isolation::ReadCommitted`], a partition ends at the first record of an open transaction.
///
/// This takes one request for all topics together, and one request to each leader.
///
/// # Errors
/// If a broker does not answer within `limit`.
pub fn ends(
    brokers: &mut Brokers,
    topics: &BTreeSet<String>,
    isolation: Isolation,
    limit: Duration,
) -> Result<BTreeMap<TopicPartition, Option<i64>>> {
    /// The first version in which a client can say that the question must not create the topic.
    const METADATA: i16 = 4;
    /// The first version with an isolation level.
    const LIST_OFFSETS: i16 = 2;
    let asked = topics
        .iter()
        .map(|topic| MetadataRequestTopic::default().with_name(Some(name(topic))));
    let metadata = MetadataRequest::default()
        .with_topics(Some(asked.collect()))
        .with_allow_auto_topic_creation(false);
    let metadata = brokers.ask_any(&metadata, METADATA, limit)?;

    let mut ends = BTreeMap::new();
    let mut by_leader: BTreeMap<BrokerId, BTreeMap<String, Vec<i32>>> = BTreeMap::new();
    for topic in metadata.topics {
        let topic_name = topic.name.unwrap_or_default();
        for partition in topic.partitions {
            let number = partition.partition_index;
            ends.insert(at(&topic_name, number), None);
            let of_leader = by_leader.entry(partition.leader_id).or_default();
            of_leader
                .entry(topic_name.to_string())
                .or_default()
                .push(number);
        }
    }
    for broker in metadata.brokers {
        let Some(topics) = by_leader.remove(&broker.node_id) else {
            continue;
        };
        let topics = topics.into_iter().map(|(topic, partitions)| {
            let partitions = partitions.into_iter().map(|number| {
                ListOffsetsPartition::default()
                    .with_partition_index(number)
                    .with_timestamp(LATEST)
            });
            ListOffsetsTopic::default()
                .with_name(name(&topic))
                .with_partitions(partitions.collect())
        });
        let question = ListOffsetsRequest::default()
            .with_replica_id(CLIENT)
            .with_isolation_level(isolation.code())
            .with_topics(topics.collect());
        let address = format!("{}:{}", &*broker.host, broker.port);
        let answer = brokers.ask(&address, &question, LIST_OFFSETS, limit)?;
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
