//! The consumer groups of a cluster: their members and their committed offsets.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use broker::spent::{Waiting, count_as};
use broker::wait;
use rdkafka::admin::ResourceSpecifier;

use crate::administration;
use crate::group_description::{
    GroupDescription, GroupMember, GroupProtocol, TopicPartition, commits, describe,
};
use crate::kafka::{Kafka, admin_options};
use crate::leaving::{leave_consumer_group, leave_group};
use crate::wire::ANSWER_LIMIT;

/// A member of a consumer group, and what it owns of one topic.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicMember {
    /// The member's `client.id`; `rdkafka` if it has set none.
    pub client_id: String,
    /// The id that the group's coordinator has given to the member.
    pub member_id: String,
    /// The partitions that it owns.
    pub partitions: Vec<i32>,
}

impl TopicMember {
    fn of(member: GroupMember, topic: &str) -> Self {
        let owned = member.partitions.into_iter();
        Self {
            client_id: member.client_id,
            member_id: member.member_id,
            partitions: owned
                .filter(|owned| owned.topic == topic)
                .map(|owned| owned.partition)
                .collect(),
        }
    }
}

impl Kafka {
    /// The names of all consumer groups.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub fn groups(&self) -> Result<Vec<String>> {
        let _waiting = count_as(Waiting::Kafka);
        let groups = self.admin()?.inner().fetch_group_list(None, ANSWER_LIMIT)?;
        let names = groups.groups().iter().map(|group| group.name().to_string());
        Ok(names.collect())
    }

    /// A group of either protocol, as its coordinator describes it; `None` if there is no such group.
    ///
    /// # Errors
    /// If the cluster does not answer within `limit`.
    pub fn describe(&self, group: &str, limit: Duration) -> Result<Option<GroupDescription>> {
        self.ask(|brokers| describe(brokers, group, limit))
    }

    /// The members of a group, and what each of them owns of `topic`.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub fn members(&self, group: &str, topic: &str) -> Result<Vec<TopicMember>> {
        let described = self.describe(group, ANSWER_LIMIT)?;
        let members = described.map_or(Vec::new(), |described| described.members);
        let members = members.into_iter();
        Ok(members
            .map(|member| TopicMember::of(member, topic))
            .collect())
    }

    /// How long a group waits for a silent member with the protocol of KIP-848. The group decides this
    /// (`consumer.session.timeout.ms`), or else its broker (`group.consumer.session.timeout.ms`).
    ///
    /// # Errors
    /// If the cluster does not answer, or is older than Kafka 4.0.
    pub fn session_timeout(&self, group: &str) -> Result<Duration> {
        const SETTING: &str = "consumer.session.timeout.ms";
        let admin = self.admin()?;
        let (group_of, options) = ([ResourceSpecifier::Group(group)], admin_options());
        let described = pollster::block_on(admin.describe_configs(&group_of, &options))?;
        let settings = described.into_iter().next();
        let settings = settings.context("the cluster described no group")??;
        let value = settings.get(SETTING).and_then(|entry| entry.value.as_ref());
        let millis = value.with_context(|| format!("{group} has no setting {SETTING}"))?;
        Ok(Duration::from_millis(millis.parse()?))
    }

    /// The committed offset of each partition of a topic; `None` if the group has committed nothing there, which is not the
    /// same as 0.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub fn committed(&self, group: &str, topic: &str) -> Result<Vec<Option<i64>>> {
        let changes = self
            .changes()
            .map(|so_far| (so_far.of_commits, so_far.are_settled));
        let committed = self.known.commits.keep(changes, group.to_string(), || {
            self.commits(group, ANSWER_LIMIT)
        })?;
        let known = self.known.partitions.lock().get(topic).copied();
        let partitions = match known {
            Some(known) => known,
            None => {
                let Some(partitions) = self.partitions(topic)? else {
                    return Ok(Vec::new());
                };
                let mut known = self.known.partitions.lock();
                known.insert(topic.to_string(), partitions);
                partitions
            }
        };
        let at = |partition| TopicPartition {
            topic: topic.to_string(),
            partition,
        };
        Ok((0..partitions)
            .map(|partition| committed.get(&at(partition)).copied())
            .collect())
    }

    /// All committed offsets of a group, in all topics.
    ///
    /// # Errors
    /// If the cluster does not answer within `limit`.
    pub fn commits(&self, group: &str, limit: Duration) -> Result<BTreeMap<TopicPartition, i64>> {
        self.ask(|brokers| commits(brokers, group, limit))
    }

    /// Removes every member of a group at once, as if each had left. Otherwise the group would keep a dead member until its
    /// session times out.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub fn remove_members(&self, group: &str) -> Result<()> {
        self.remove(group, |_| true)
    }

    /// Removes one member of a group at once, as if it had left.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub fn remove_member(&self, group: &str, member_id: &str) -> Result<()> {
        self.remove(group, |member| member == member_id)
    }

    fn remove(&self, group: &str, which: impl Fn(&str) -> bool) -> Result<()> {
        let Some(described) = self.describe(group, ANSWER_LIMIT)? else {
            return Ok(());
        };
        let leave = match described.protocol {
            GroupProtocol::Classic => leave_group,
            GroupProtocol::Consumer => leave_consumer_group,
        };
        for member in described.members.iter().filter(|one| which(&one.member_id)) {
            self.ask(|brokers| leave(brokers, group, &member.member_id))?;
        }
        Ok(())
    }

    /// Deletes a consumer group, if it exists. The group keeps a killed member until the member's session times out, and
    /// cannot be deleted before.
    ///
    /// # Errors
    /// If the group still has members after `limit`, or if the cluster does not answer or refuses.
    pub fn delete_group(&self, group: &str, limit: Duration) -> Result<()> {
        let _waiting = count_as(Waiting::Kafka);
        self.known.forget_answers();
        let what =
            format!("the members of {group} to leave (is a program of yours still running?)");
        wait::until(&what, limit, || {
            let is_deleted = self.ask(|brokers| administration::delete_group(brokers, group))?;
            Ok(is_deleted.then_some(()))
        })
    }
}
