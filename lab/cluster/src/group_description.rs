//! A consumer group as its coordinator describes it, and the group's committed offsets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use anyhow::{Result, bail};
use bytes::{Buf, Bytes};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerProtocolAssignment, DescribeGroupsRequest, GroupId,
    OffsetFetchRequest, TopicName,
};
use kafka_protocol::protocol::{Decodable, StrBytes};

use crate::printable::printable;
use crate::wire::Brokers;

/// One partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicPartition {
    pub topic: String,
    pub partition: i32,
}

/// A consumer group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupDescription {
    pub state: GroupState,
    pub protocol: GroupProtocol,
    pub members: Vec<GroupMember>,
}

/// A member of a consumer group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupMember {
    /// The member's `client.id`; `rdkafka` if it has set none.
    pub client_id: String,
    /// The id that the group's coordinator has given to the member.
    pub member_id: String,
    /// The partitions that it owns, according to the coordinator. During the rebalance of a classic group, Kafka 4 still
    /// reports the partitions that the member owned before.
    pub partitions: BTreeSet<TopicPartition>,
}

/// What a group is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupState {
    /// Classic protocol: the coordinator waits until all members have joined again.
    PreparingRebalance,
    /// Classic protocol: all members have joined, and the group's leader assigns the partitions.
    CompletingRebalance,
    /// Protocol of KIP-848: the coordinator assigns the partitions.
    Assigning,
    /// Protocol of KIP-848: the members give up old partitions and take new ones.
    Reconciling,
    /// The group is not in a rebalance.
    Stable,
    /// The group has commits, but no members.
    Empty,
}

/// The protocol by which partitions are assigned to the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupProtocol {
    /// `group.protocol=classic`: one of the members assigns them.
    Classic,
    /// `group.protocol=consumer` (KIP-848): the coordinator assigns them.
    Consumer,
}

impl GroupState {
    /// The state with this name. `None` for the state `Dead`, which brokers report for a group that does not exist.
    ///
    /// # Errors
    /// If the name is unknown.
    fn named(name: &str) -> Result<Option<Self>> {
        Ok(Some(match name {
            "PreparingRebalance" => Self::PreparingRebalance,
            "CompletingRebalance" => Self::CompletingRebalance,
            "Assigning" => Self::Assigning,
            "Reconciling" => Self::Reconciling,
            "Stable" => Self::Stable,
            "Empty" => Self::Empty,
            "Dead" => return Ok(None),
            other => bail!("Kafka reports a group state that this program does not know: {other}"),
        }))
    }

    /// Whether the group is in a rebalance.
    pub fn is_rebalancing(self) -> bool {
        !matches!(self, Self::Stable | Self::Empty)
    }
}

/// The name that Kafka's tools use.
impl fmt::Display for GroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Describes a group of either protocol; `None` if there is no such group.
///
/// # Errors
/// If the coordinator does not answer within `limit` or refuses.
pub fn describe(
    brokers: &mut Brokers,
    group: &str,
    limit: Duration,
) -> Result<Option<GroupDescription>> {
    const VERSION: i16 = 0;
    let question = DescribeGroupsRequest::default().with_groups(vec![id(group)]);
    let answer = brokers.ask_coordinator(group, &question, VERSION, limit, |answer| {
        answer.groups.first().map_or(0, |group| group.error_code)
    })?;
    let Some(described) = answer.groups.into_iter().next() else {
        bail!("Kafka's answer does not describe group {group}");
    };
    refuse(group, described.error_code)?;
    let Some(state) = GroupState::named(&described.group_state)? else {
        return describe_new(brokers, group, limit);
    };
    let members = described.members.into_iter().map(|member| GroupMember {
        client_id: printable(&member.client_id.to_string()),
        member_id: member.member_id.to_string(),
        partitions: assignment(&member.member_assignment).unwrap_or_default(),
    });
    Ok(Some(GroupDescription {
        state,
        protocol: GroupProtocol::Classic,
        members: members.collect(),
    }))
}

/// Describes a group of the protocol of KIP-848. `DescribeGroups`, the older request, reports such a group as dead.
fn describe_new(
    brokers: &mut Brokers,
    group: &str,
    limit: Duration,
) -> Result<Option<GroupDescription>> {
    const VERSION: i16 = 0;
    if !brokers.coordinator_knows::<ConsumerGroupDescribeRequest>(group, limit)? {
        return Ok(None);
    }
    let question = ConsumerGroupDescribeRequest::default().with_group_ids(vec![id(group)]);
    let answer = brokers.ask_coordinator(group, &question, VERSION, limit, |answer| {
        answer.groups.first().map_or(0, |group| group.error_code)
    })?;
    let Some(described) = answer.groups.into_iter().next() else {
        return Ok(None);
    };
    if described.error_code == ResponseError::GroupIdNotFound.code() {
        return Ok(None);
    }
    refuse(group, described.error_code)?;
    let Some(state) = GroupState::named(&described.group_state)? else {
        return Ok(None);
    };
    let members = described.members.into_iter().map(|member| {
        let topics = member.assignment.topic_partitions.into_iter();
        GroupMember {
            client_id: printable(&member.client_id.to_string()),
            member_id: member.member_id.to_string(),
            partitions: topics
                .flat_map(|topic| partitions(topic.topic_name, topic.partitions))
                .collect(),
        }
    });
    Ok(Some(GroupDescription {
        state,
        protocol: GroupProtocol::Consumer,
        members: members.collect(),
    }))
}

/// The committed offsets of a group, in all topics. A partition without a commit is left out.
///
/// # Errors
/// If the coordinator does not answer within `limit` or refuses.
pub fn commits(
    brokers: &mut Brokers,
    group: &str,
    limit: Duration,
) -> Result<BTreeMap<TopicPartition, i64>> {
    const VERSION: i16 = 2;
    // `None` asks for all topics.
    let question = OffsetFetchRequest::default()
        .with_group_id(id(group))
        .with_topics(None);
    let answer =
        brokers.ask_coordinator(group, &question, VERSION, limit, |answer| answer.error_code)?;
    refuse(group, answer.error_code)?;
    let commits = answer.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| {
            let committed = TopicPartition {
                topic: topic.name.to_string(),
                partition: partition.partition_index,
            };
            (committed, partition.committed_offset)
        })
    });
    Ok(commits.filter(|(_, offset)| *offset >= 0).collect())
}

/// Decodes an assignment of the consumer protocol: a version, followed by the partitions. No bytes mean that the member has
/// no partitions yet. `None` if the bytes are not such an assignment.
pub fn assignment(bytes: &[u8]) -> Option<BTreeSet<TopicPartition>> {
    let mut bytes = Bytes::copy_from_slice(bytes);
    if bytes.is_empty() {
        return Some(BTreeSet::new());
    }
    let version = bytes.try_get_i16().ok()?;
    if !is_plausible(&bytes) {
        return None;
    }
    let assignment = ConsumerProtocolAssignment::decode(&mut bytes, version).ok()?;
    let topics = assignment.assigned_partitions.into_iter();
    let all = topics.flat_map(|topic| partitions(topic.topic, topic.partitions));
    Some(all.collect())
}

/// Decodes which topics a member asks for, in the consumer protocol: a version, followed by the names and by more that is not
/// read. `None` if the bytes are not such a subscription.
pub fn subscription(bytes: &[u8]) -> Option<BTreeSet<String>> {
    let mut rest = Bytes::copy_from_slice(bytes);
    rest.try_get_i16().ok()?;
    let topics = rest.try_get_i32().ok()?;
    let mut names = BTreeSet::new();
    for _ in 0..topics {
        let length = usize::try_from(rest.try_get_i16().ok()?).ok()?;
        let name = String::from_utf8_lossy(rest.get(..length)?).into_owned();
        rest.advance(length);
        names.insert(name);
    }
    Some(names)
}

/// Whether the assignment holds as many elements as it announces. Any member that leads a group can write one, and the decoder
/// reserves memory for as many elements as are announced.
fn is_plausible(assignment: &Bytes) -> bool {
    let mut rest = assignment.clone();
    let mut walk = || -> Option<()> {
        let topics = rest.try_get_i32().ok()?;
        for _ in 0..topics {
            let name = usize::try_from(rest.try_get_i16().ok()?).ok()?;
            rest = rest.slice_ref(rest.get(name..)?);
            let partitions = usize::try_from(rest.try_get_i32().ok()?).ok()?;
            rest = rest.slice_ref(rest.get(partitions.checked_mul(4)?..)?);
        }
        Some(())
    };
    walk().is_some()
}

fn partitions(topic: TopicName, numbers: Vec<i32>) -> impl Iterator<Item = TopicPartition> {
    numbers.into_iter().map(move |partition| TopicPartition {
        topic: topic.to_string(),
        partition,
    })
}

fn id(group: &str) -> GroupId {
    GroupId(StrBytes::from_string(group.to_string()))
}

fn refuse(group: &str, code: i16) -> Result<()> {
    match ResponseError::try_from_code(code) {
        None => Ok(()),
        Some(error) => bail!("Kafka refuses a question about group {group}: {error}"),
    }
}
