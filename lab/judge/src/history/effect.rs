//! What a request did to partitions: who owns them, and how far they are read, committed and written.

use std::collections::BTreeMap;

use crate::history::logged::{Logged, TopicRef};
use cluster::TopicPartition;

/// What the broker's answer to a request changed or showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A member asked to join the group, or to join it again. With the eager protocol, it owns nothing from its request on, until
    /// it is assigned partitions again.
    Joins {
        group: String,
        member: String,
        eager: bool,
    },
    /// A member learned which partitions it owns from now on.
    Owns {
        group: String,
        member: String,
        partitions: Vec<TopicPartition>,
    },
    /// A member left the group, or we removed it.
    Leaves { group: String, member: String },
    /// A client asked for the records from the offset `from` on. The partition ended at `end`, exclusively.
    Reads {
        partition: TopicPartition,
        from: i64,
        end: i64,
    },
    /// The group will continue at this offset. With a transactional id, this holds once that transaction is committed.
    Commits {
        group: String,
        partition: TopicPartition,
        offset: i64,
        transaction: Option<String>,
    },
    /// A batch of records was written, beginning at this offset.
    Writes {
        partition: TopicPartition,
        offset: i64,
    },
    /// The transaction with this transactional id was committed or aborted. A producer that takes the id aborts the transaction
    /// that an earlier producer left open.
    EndsTransaction {
        transaction: String,
        committed: bool,
    },
}

/// The names of topics by their ids. Newer requests give only the id, and clients ask the broker for both.
#[derive(Debug, Default)]
pub struct TopicIds(BTreeMap<String, String>);

impl TopicIds {
    /// Learns names from the answer to a client that asked for topics. All other requests teach nothing.
    pub fn learn(&mut self, logged: &Logged) {
        if logged.kind() != "METADATA" {
            return;
        }
        for (id, name) in logged.topic_names() {
            self.0.insert(id.to_string(), name.to_string());
        }
    }

    fn name(&self, topic: TopicRef<'_>) -> Option<String> {
        match topic {
            TopicRef::Name(name) => Some(name.to_string()),
            TopicRef::Id(id) => self.0.get(id).cloned(),
        }
    }

    /// The name of a partition, as Kafka writes it: `clickstream-0`. If the topic's name is not known, its id takes the place.
    pub fn key(&self, topic: TopicRef<'_>, partition: i32) -> String {
        let name = self.name(topic);
        format!("{}-{partition}", name.as_deref().unwrap_or(topic.as_str()))
    }

    fn partition(&self, topic: TopicRef<'_>, partition: i32) -> Option<TopicPartition> {
        let topic = self.name(topic)?;
        Some(TopicPartition { topic, partition })
    }
}

/// What this request did; empty if the broker refused it. Partitions whose topic has no known name are left out.
pub fn effects(logged: &Logged, topics: &TopicIds) -> Vec<Effect> {
    if logged.error_code() != 0 {
        return Vec::new();
    }
    match logged.kind() {
        "JOIN_GROUP" => vec![Effect::Joins {
            group: logged.group().to_string(),
            member: member(logged),
            eager: !logged.assignment_protocol().contains("cooperative"),
        }],
        "SYNC_GROUP" => {
            let assigned = logged.assigned().unwrap_or_default();
            vec![owns(logged, assigned.into_iter().collect())]
        }
        "LEAVE_GROUP" => vec![leaves(logged)],
        "CONSUMER_GROUP_HEARTBEAT" if logged.leaves_by_heartbeat() => vec![leaves(logged)],
        "CONSUMER_GROUP_HEARTBEAT" => {
            let assigned = assigned_by_heartbeat(logged, topics);
            let owns = assigned.map(|partitions| owns(logged, partitions));
            owns.into_iter().collect()
        }
        "FETCH" => reads(logged, topics),
        "OFFSET_COMMIT" | "TXN_OFFSET_COMMIT" => commits(logged, topics),
        "PRODUCE" => writes(logged, topics),
        "END_TXN" | "INIT_PRODUCER_ID" => {
            let ends = logged.transactional_id().map(|id| Effect::EndsTransaction {
                transaction: id.to_string(),
                committed: logged.commits_transaction(),
            });
            ends.into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn member(logged: &Logged) -> String {
    logged.member_id().unwrap_or_default().to_string()
}

fn owns(logged: &Logged, partitions: Vec<TopicPartition>) -> Effect {
    Effect::Owns {
        group: logged.group().to_string(),
        member: member(logged),
        partitions,
    }
}

fn leaves(logged: &Logged) -> Effect {
    Effect::Leaves {
        group: logged.group().to_string(),
        member: member(logged),
    }
}

fn assigned_by_heartbeat(logged: &Logged, topics: &TopicIds) -> Option<Vec<TopicPartition>> {
    let assigned = logged.assigned_by_heartbeat()?;
    let partitions = assigned.iter().flat_map(|(topic, numbers)| {
        let numbers = numbers.iter();
        numbers.filter_map(|number| topics.partition(*topic, *number))
    });
    Some(partitions.collect())
}

fn reads(logged: &Logged, topics: &TopicIds) -> Vec<Effect> {
    let reads = logged.fetched().filter_map(|fetched| {
        let end = logged.high_watermark(fetched.topic, fetched.partition);
        Some(Effect::Reads {
            partition: topics.partition(fetched.topic, fetched.partition)?,
            from: fetched.offset,
            end: end.unwrap_or(fetched.offset),
        })
    });
    reads.collect()
}

fn commits(logged: &Logged, topics: &TopicIds) -> Vec<Effect> {
    let accepted = logged.committed().filter(|one| one.error_code == 0);
    let commits = accepted.filter_map(|committed| {
        Some(Effect::Commits {
            group: logged.group().to_string(),
            partition: topics.partition(committed.topic, committed.partition)?,
            offset: committed.offset,
            transaction: logged.transactional_id().map(ToString::to_string),
        })
    });
    commits.collect()
}

fn writes(logged: &Logged, topics: &TopicIds) -> Vec<Effect> {
    let written = logged.produced().filter(|one| one.offset >= 0);
    let writes = written.filter_map(|produced| {
        Some(Effect::Writes {
            partition: topics.partition(produced.topic, produced.partition)?,
            offset: produced.offset,
        })
    });
    writes.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::history::logged::tests::{commit, entry, fetch};

    fn partition(partition: i32) -> TopicPartition {
        let topic = "clickstream".to_string();
        TopicPartition { topic, partition }
    }

    #[test]
    fn only_offsets_that_were_accepted_are_committed() {
        let committed = Effect::Commits {
            group: "analytics-service".to_string(),
            partition: partition(0),
            offset: 5,
            transaction: None,
        };
        assert_eq!(effects(&commit(), &TopicIds::default()), [committed]);
    }

    #[test]
    fn a_topic_that_is_named_by_its_id_must_be_known() {
        let mut topics = TopicIds::default();
        assert_eq!(effects(&fetch(), &topics), []);
        let names = json!({ "topics": [{ "topicId": "hB4TAr5", "name": "clickstream" }] });
        topics.learn(&entry("METADATA", &json!({}), &names));
        let reads = |number, from, end| Effect::Reads {
            partition: partition(number),
            from,
            end,
        };
        let expected = [reads(0, 37, 37), reads(2, 29, 41)];
        assert_eq!(effects(&fetch(), &topics), expected);
    }

    #[test]
    fn a_refused_request_has_no_effect() {
        let refused = json!({ "errorCode": 25, "memberId": "consumer-38ce" });
        let join = entry("JOIN_GROUP", &json!({ "groupId": "group" }), &refused);
        assert_eq!(effects(&join, &TopicIds::default()), []);
    }
}
