//! Creates and deletes topics and groups, and sets what can be set of a topic or a logger.
//!
//! librdkafka can do most of this. But if a broker tells it no controller at first, because it has just started on a busy machine,
//! librdkafka waits for one until the request times out (its `rd_kafka_broker_controller_async`). A broker of Kafka 4 passes such
//! requests on to its controller, so here any broker is asked.

use anyhow::{Result, bail};
use broker::wait;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::{
    CreateTopicsRequest, DeleteGroupsRequest, DeleteTopicsRequest, GroupId,
    IncrementalAlterConfigsRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use crate::wire::{ANSWER_LIMIT, Brokers};

/// How long the controller may take, in milliseconds, before the broker gives up. Then we ask again.
const TIMEOUT_MS: i32 = 30_000;

/// The protocol's number for setting a value.
const SET: i8 = 0;

/// The node that the lab's Kafka consists of.
const NODE: &str = "1";

/// Whose settings are changed.
#[derive(Clone, Copy, Debug)]
pub enum Settings<'a> {
    Topic(&'a str),
    /// The loggers of the lab's broker. What is set lasts until it ends.
    Loggers,
}

/// Creates these topics, each with so many partitions, and as many replicas as is usual in this cluster (KIP-464). A topic that
/// exists stays as it is.
///
/// # Errors
/// If the broker does not answer or refuses.
pub fn create_topics(brokers: &mut Brokers, topics: &[(&str, i32)]) -> Result<()> {
    const VERSION: i16 = 4;
    const USUAL: i16 = -1;
    let new = topics.iter().map(|(topic, partitions)| {
        CreatableTopic::default()
            .with_name(topic_name(topic))
            .with_num_partitions(*partitions)
            .with_replication_factor(USUAL)
    });
    let request = CreateTopicsRequest::default()
        .with_topics(new.collect())
        .with_timeout_ms(TIMEOUT_MS);
    wait::until("Kafka to create topics", ANSWER_LIMIT, || {
        let answer = brokers.ask_any(&request, VERSION, ANSWER_LIMIT)?;
        let topics = answer.topics.iter();
        let codes = topics.map(|topic| (&*topic.name.0, topic.error_code));
        done(
            "create topic",
            Some(ResponseError::TopicAlreadyExists),
            codes,
        )
    })
}

/// Deletes those of these topics that exist.
///
/// # Errors
/// If the broker does not answer or refuses.
pub fn delete_topics(brokers: &mut Brokers, topics: &[&str]) -> Result<()> {
    const VERSION: i16 = 4;
    let names = topics.iter().map(|topic| topic_name(topic));
    let request = DeleteTopicsRequest::default()
        .with_topic_names(names.collect())
        .with_timeout_ms(TIMEOUT_MS);
    wait::until("Kafka to delete topics", ANSWER_LIMIT, || {
        let answer = brokers.ask_any(&request, VERSION, ANSWER_LIMIT)?;
        let codes = answer.responses.iter().map(|topic| {
            let name = topic.name.as_ref().map_or("", |name| &*name.0);
            (name, topic.error_code)
        });
        done(
            "delete topic",
            Some(ResponseError::UnknownTopicOrPartition),
            codes,
        )
    })
}

/// Deletes a group, if it exists. Returns `false` if it still has members.
///
/// # Errors
/// If its coordinator does not answer or refuses.
pub fn delete_group(brokers: &mut Brokers, group: &str) -> Result<bool> {
    const VERSION: i16 = 1;
    let id = GroupId(StrBytes::from_string(group.to_string()));
    let request = DeleteGroupsRequest::default().with_groups_names(vec![id]);
    let answer = brokers.ask_coordinator(group, &request, VERSION, ANSWER_LIMIT, |answer| {
        answer.results.first().map_or(0, |result| result.error_code)
    })?;
    let errors = answer.results.iter().map(|result| result.error_code);
    match errors.into_iter().find_map(ResponseError::try_from_code) {
        None | Some(ResponseError::GroupIdNotFound) => Ok(true),
        Some(ResponseError::NonEmptyGroup) => Ok(false),
        Some(error) => bail!("Kafka could not delete group {group}: {error}"),
    }
}

/// Changes one setting. The others stay as they are (KIP-339).
///
/// # Errors
/// If the broker does not answer or refuses.
pub fn set(brokers: &mut Brokers, of: Settings, name: &str, value: &str) -> Result<()> {
    const VERSION: i16 = 0;
    let config = AlterableConfig::default()
        .with_name(StrBytes::from_string(name.to_string()))
        .with_config_operation(SET)
        .with_value(Some(StrBytes::from_string(value.to_string())));
    let resource = AlterConfigsResource::default()
        .with_resource_type(of.kind())
        .with_resource_name(StrBytes::from_string(of.name().to_string()))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let what = format!("Kafka to set {name} of {}", of.name());
    wait::until(&what, ANSWER_LIMIT, || {
        let answer = brokers.ask_any(&request, VERSION, ANSWER_LIMIT)?;
        let answers = answer.responses.iter();
        let codes = answers.map(|answer| (of.name(), answer.error_code));
        done(&format!("set {name} of"), None, codes)
    })
}

impl Settings<'_> {
    /// The kind of resource, as a number of the protocol.
    fn kind(&self) -> i8 {
        match self {
            Self::Topic(_) => 2,
            Self::Loggers => 8,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Topic(topic) => topic,
            Self::Loggers => NODE,
        }
    }
}

fn topic_name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_string()))
}

/// Whether all was done, by the names of the things and the error codes of an answer. `None` if the controller is moving, or too
/// busy: it will do soon what it was asked. The error that is `fine` says that nothing was left to do.
fn done<'a>(
    what: &str,
    fine: Option<ResponseError>,
    codes: impl Iterator<Item = (&'a str, i16)>,
) -> Result<Option<()>> {
    for (name, code) in codes {
        match ResponseError::try_from_code(code) {
            None => {}
            error if error == fine => {}
            Some(ResponseError::NotController | ResponseError::RequestTimedOut) => return Ok(None),
            Some(error) => bail!("Kafka could not {what} {name}: {error}"),
        }
    }
    Ok(Some(()))
}
