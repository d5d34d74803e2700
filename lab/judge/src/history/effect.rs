//! What a request did to partitions: who owns them, how far they are read, committed and written.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::history::sentence::{LEAVE_EPOCH, api, partitions_of};
use cluster::{TopicPartition, assignment};

/// What the broker's answer to a request changed, or showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A member asked to be let in, or in again. By the eager protocol it owns nothing from then on until it is answered.
    Joins {
        group: String,
        member: String,
        eager: bool,
    },
    /// A member was told what it owns from now on.
    Owns {
        group: String,
        member: String,
        partitions: Vec<TopicPartition>,
    },
    /// A member said goodbye, or was removed.
    Leaves { group: String, member: String },
    /// Records from `from` on were asked for; there were such up to `end`, exclusively.
    Reads {
        partition: TopicPartition,
        from: i64,
        end: i64,
    },
    /// The group goes on at this offset. In a transaction, by its transactional id: once that is committed.
    Commits {
        group: String,
        partition: TopicPartition,
        offset: i64,
        transaction: Option<String>,
    },
    /// A batch of records lies there from this offset on.
    Writes {
        partition: TopicPartition,
        offset: i64,
    },
    /// The transaction of this transactional id was committed, or aborted. Whoever takes the id aborts what is open.
    EndsTransaction {
        transaction: String,
        committed: bool,
    },
}

/// The names of topics by their ids: newer requests name only those. Clients have asked for both.
#[derive(Debug, Default)]
pub struct TopicIds(BTreeMap<String, String>);

impl TopicIds {
    /// Learns from the answer to a client that asked which topics there are.
    pub fn learn(&mut self, logged: &Value) {
        if api(logged) != "METADATA" {
            return;
        }
        let topics = logged["response"]["topics"].as_array();
        for topic in topics.into_iter().flatten() {
            if let (Some(id), Some(name)) = (topic["topicId"].as_str(), topic["name"].as_str()) {
                self.0.insert(id.to_string(), name.to_string());
            }
        }
    }

    fn name(&self, topic: &Value) -> Option<String> {
        let name = topic["name"].as_str().map(ToString::to_string);
        name.or_else(|| self.0.get(topic["topicId"].as_str()?).cloned())
    }
}

/// What this request did.
pub fn effects(logged: &Value, topics: &TopicIds) -> Vec<Effect> {
    let (request, response) = (&logged["request"], &logged["response"]);
    let group = || text(&request["groupId"]);
    let member = || member_id(logged).unwrap_or_default().to_string();
    let refused = response["errorCode"].as_i64().is_some_and(|code| code != 0);
    match api(logged) {
        _ if refused => Vec::new(),
        "JOIN_GROUP" => vec![Effect::Joins {
            group: group(),
            member: member(),
            eager: !text(&response["protocolName"]).contains("cooperative"),
        }],
        "SYNC_GROUP" => vec![Effect::Owns {
            group: group(),
            member: member(),
            partitions: given(response),
        }],
        "LEAVE_GROUP" => vec![Effect::Leaves {
            group: group(),
            member: member(),
        }],
        "CONSUMER_GROUP_HEARTBEAT" if request["memberEpoch"] == LEAVE_EPOCH => {
            vec![Effect::Leaves {
                group: group(),
                member: member(),
            }]
        }
        "CONSUMER_GROUP_HEARTBEAT" => heartbeat_given(response, topics)
            .map(|partitions| Effect::Owns {
                group: group(),
                member: member(),
                partitions,
            })
            .into_iter()
            .collect(),
        "FETCH" => reads(request, response, topics),
        "OFFSET_COMMIT" | "TXN_OFFSET_COMMIT" => commits(request, response),
        "PRODUCE" => each(
            &response["responses"],
            "partitionResponses",
            |topic, answer| {
                let offset = answer["baseOffset"]
                    .as_i64()
                    .filter(|offset| *offset >= 0)?;
                let partition = partition(topics.name(topic)?, &answer["index"])?;
                Some(Effect::Writes { partition, offset })
            },
        ),
        "END_TXN" | "INIT_PRODUCER_ID" => request["transactionalId"]
            .as_str()
            .map(|id| Effect::EndsTransaction {
                transaction: id.to_string(),
                committed: request["committed"] == true,
            })
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

/// The member that a request came from: the id that the group's coordinator gave it.
pub fn member_id(logged: &Value) -> Option<&str> {
    let mut ids = [&logged["request"], &logged["response"]]
        .into_iter()
        .map(|part| part["memberId"].as_str());
    ids.find_map(|id| id.filter(|id| !id.is_empty()))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

fn partition(topic: String, number: &Value) -> Option<TopicPartition> {
    let partition = i32::try_from(number.as_i64()?).ok()?;
    Some(TopicPartition { topic, partition })
}

/// What `effect` finds in each partition that `list` names in each topic.
fn each<T>(topics: &Value, list: &str, effect: impl Fn(&Value, &Value) -> Option<T>) -> Vec<T> {
    let topics = topics.as_array().into_iter().flatten();
    let pairs = topics.flat_map(|topic| {
        let partitions = topic[list].as_array().into_iter().flatten();
        partitions.map(move |partition| (topic, partition))
    });
    pairs
        .filter_map(|(topic, partition)| effect(topic, partition))
        .collect()
}

fn given(response: &Value) -> Vec<TopicPartition> {
    let bytes = BASE64_STANDARD.decode(response["assignment"].as_str().unwrap_or_default());
    let partitions = bytes.ok().and_then(|bytes| assignment(&bytes));
    partitions.into_iter().flatten().collect()
}

/// `None` where nothing has changed.
fn heartbeat_given(response: &Value, topics: &TopicIds) -> Option<Vec<TopicPartition>> {
    let assigned = response["assignment"]["topicPartitions"].as_array()?;
    let partitions = assigned.iter().flat_map(|topic| {
        let numbers = topic["partitions"].as_array().into_iter().flatten();
        numbers.filter_map(|number| partition(topics.name(topic)?, number))
    });
    Some(partitions.collect())
}

fn reads(request: &Value, response: &Value, topics: &TopicIds) -> Vec<Effect> {
    let ends: Vec<_> = partitions_of(&response["responses"], "partitions").collect();
    each(&request["topics"], "partitions", |topic, asked| {
        let answer = ends
            .iter()
            .find(|answer| answer["partitionIndex"] == asked["partition"]);
        let from = asked["fetchOffset"].as_i64()?;
        Some(Effect::Reads {
            partition: partition(topics.name(topic)?, &asked["partition"])?,
            from,
            end: answer
                .and_then(|answer| answer["highWatermark"].as_i64())
                .unwrap_or(from),
        })
    })
}

fn commits(request: &Value, response: &Value) -> Vec<Effect> {
    let refused: Vec<_> = partitions_of(&response["topics"], "partitions")
        .filter(|answer| answer["errorCode"] != 0)
        .map(|answer| &answer["partitionIndex"])
        .collect();
    each(&request["topics"], "partitions", |topic, committed| {
        if refused.contains(&&committed["partitionIndex"]) {
            return None;
        }
        Some(Effect::Commits {
            group: text(&request["groupId"]),
            partition: partition(text(&topic["name"]), &committed["partitionIndex"])?,
            offset: committed["committedOffset"].as_i64()?,
            transaction: request["transactionalId"].as_str().map(ToString::to_string),
        })
    })
}
