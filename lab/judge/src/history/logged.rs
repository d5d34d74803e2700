//! One entry of the broker's request log. Kafka's request logger writes each entry as a JSON object. Only this file knows the
//! names of its fields.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use broker::Request;
use serde_json::Value;

use cluster::{TopicPartition, assignment, subscription};

/// The listener of the broker that only judged programs connect to.
const PROGRAMS_LISTENER: &str = "GATE";

/// The log line of every request that came through that listener contains this text.
const THROUGH_GATE: &str = "\"listener\":\"GATE\"";

/// The log line of every request to leave a group contains this text.
const LEAVES: &str = "\"requestApiKeyName\":\"LEAVE_GROUP\"";

/// The epoch in the heartbeat of a member that joins, with the newer group protocol (KIP-848).
const JOIN_EPOCH: i64 = 0;

/// The epoch in the heartbeat of a member that leaves, with the newer group protocol (KIP-848).
const LEAVE_EPOCH: i64 = -1;

/// A request and its answer, as the broker logged them.
#[derive(Clone, Debug)]
pub struct Logged {
    answered_at: SystemTime,
    json: Arc<Value>,
}

/// A topic in a request. Newer versions of the protocol give its id instead of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicRef<'a> {
    Name(&'a str),
    Id(&'a str),
}

/// A partition in a fetch: the client asked for the records from this offset on.
#[derive(Clone, Copy, Debug)]
pub struct Fetched<'a> {
    pub topic: TopicRef<'a>,
    pub partition: i32,
    pub offset: i64,
}

/// A partition in a request to commit offsets, and the error code of the answer; 0 if there was no error.
#[derive(Clone, Copy, Debug)]
pub struct Committed<'a> {
    pub topic: TopicRef<'a>,
    pub partition: i32,
    pub offset: i64,
    pub error_code: i64,
}

/// A partition in the answer to a fetch.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    pub topic: TopicRef<'a>,
    pub partition: i32,
    /// How many bytes of records it holds.
    pub bytes: u64,
    /// The records that the client may read ended here, exclusively.
    pub end: i64,
    /// Whether these are all records up to the end. If not, the answer is full, and nothing says where its records end.
    pub up_to_end: bool,
}

/// An error code other than 0 in an answer, and the partition that it is about. Both are `None` if it is about the request as a
/// whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal<'a> {
    pub topic: Option<TopicRef<'a>>,
    pub partition: Option<i32>,
    pub code: i64,
}

/// A partition in the answer to a producer.
#[derive(Clone, Copy, Debug)]
pub struct Produced<'a> {
    pub topic: TopicRef<'a>,
    pub partition: i32,
    /// The offset of the first record; -1 if none was written.
    pub offset: i64,
    /// 0 if there was no error.
    pub error_code: i64,
}

impl From<&Request> for Logged {
    fn from(request: &Request) -> Self {
        Self::new(request.at, Arc::clone(&request.logged))
    }
}

impl Logged {
    /// An entry of the log. The answer was complete at `answered_at`.
    pub fn new(answered_at: SystemTime, json: Arc<Value>) -> Self {
        Self { answered_at, json }
    }

    /// Is this line of the log about a judged program? It is if the program sent the request, or if a member leaves its group,
    /// because we may have removed the member.
    pub fn concerns_programs(line: &str) -> bool {
        line.contains(THROUGH_GATE) || line.contains(LEAVES)
    }

    /// When the answer was complete.
    pub fn answered_at(&self) -> SystemTime {
        self.answered_at
    }

    /// When the broker received the request.
    pub fn asked_at(&self) -> SystemTime {
        self.answered_at - self.took()
    }

    /// How long the broker took from the request to the complete answer.
    pub fn took(&self) -> Duration {
        let millis = self.json["totalTimeMs"].as_f64().unwrap_or_default();
        Duration::try_from_secs_f64(millis / 1000.0).unwrap_or_default()
    }

    /// The kind of request, by Kafka's name for it: `OFFSET_COMMIT`.
    pub fn kind(&self) -> &str {
        text(&self.json["requestHeader"]["requestApiKeyName"])
    }

    /// The name that the client gave itself (`client.id`).
    pub fn client_id(&self) -> Option<&str> {
        self.json["requestHeader"]["clientId"].as_str()
    }

    /// The listener of the broker that the client connected to.
    pub fn listener(&self) -> &str {
        text(&self.json["listener"])
    }

    /// Did a judged program send it? Judged programs connect through the gate, whatever their `client.id` is.
    pub fn came_through_gate(&self) -> bool {
        self.listener() == PROGRAMS_LISTENER
    }

    /// The connection over which the request came. Every connection has a different text.
    pub fn connection(&self) -> &str {
        text(&self.json["connection"])
    }

    /// The port from which the request came to the broker, and the number that the client gave the request (its correlation
    /// id). The port is the gate's, because programs connect through the gate. `None` if the log does not say both.
    pub fn port_and_number(&self) -> Option<(u16, i32)> {
        // The broker's address, the client's address, and two numbers that make the connection's text unique.
        let addresses = self.connection().rsplitn(3, '-').nth(2)?;
        let port = addresses.rsplit(':').next()?.parse().ok()?;
        Some((port, number(&self.json["requestHeader"]["correlationId"])?))
    }

    /// The consumer group; empty if the request names none.
    pub fn group(&self) -> &str {
        text(&self.request()["groupId"])
    }

    /// The id that the group's coordinator gave to the member that sent the request.
    pub fn member_id(&self) -> Option<&str> {
        let ids = [self.request(), self.response()].map(|part| text(&part["memberId"]));
        ids.into_iter().find(|id| !id.is_empty())
    }

    /// The error code of the answer as a whole; 0 if there was no error. Partitions may have errors of their own.
    pub fn error_code(&self) -> i64 {
        self.response()["errorCode"].as_i64().unwrap_or_default()
    }

    /// The first error code other than 0 anywhere in the answer.
    pub fn first_error(&self) -> Option<i64> {
        self.refusals().first().map(|refusal| refusal.code)
    }

    /// All error codes other than 0 in the answer.
    pub fn refusals(&self) -> Vec<Refusal<'_>> {
        let mut found = Vec::new();
        find_refusals(self.response(), None, &mut found);
        found
    }

    /// The generation of the group that the member is in; with the newer group protocol (KIP-848), the member's epoch.
    pub fn generation(&self) -> Option<i64> {
        let numbers = [
            &self.response()["generationId"],
            &self.response()["memberEpoch"],
            &self.request()["generationIdOrMemberEpoch"],
            &self.request()["generationId"],
            &self.request()["memberEpoch"],
        ];
        numbers.into_iter().find_map(Value::as_i64)
    }

    /// The topics that a member asked for when it joined, in either group protocol. `None` if that cannot be read.
    pub fn subscription(&self) -> Option<BTreeSet<String>> {
        if let Some(topics) = self.request()["subscribedTopicNames"].as_array() {
            let names = topics.iter().map(|topic| text(topic).to_string());
            return Some(names.collect());
        }
        let protocol = list(&self.request()["protocols"]).next()?;
        let bytes = BASE64_STANDARD.decode(text(&protocol["metadata"]));
        subscription(&bytes.ok()?)
    }

    /// The session timeout that a member asked for when it joined.
    pub fn session_timeout(&self) -> Option<Duration> {
        let millis = self.request()["sessionTimeoutMs"].as_u64();
        millis.map(Duration::from_millis)
    }

    /// The assignment strategy that the group chose when a member joined, such as `range`; empty if there is none.
    pub fn assignment_protocol(&self) -> &str {
        text(&self.response()["protocolName"])
    }

    /// The partitions in the answer to a SyncGroup request. `None` if the assignment cannot be read.
    pub fn assigned(&self) -> Option<BTreeSet<TopicPartition>> {
        let bytes = BASE64_STANDARD.decode(text(&self.response()["assignment"]));
        assignment(&bytes.ok()?)
    }

    /// Does the member join the group with this heartbeat, with the newer group protocol (KIP-848)?
    pub fn joins_by_heartbeat(&self) -> bool {
        self.request()["memberEpoch"] == JOIN_EPOCH
    }

    /// Does the member leave the group with this heartbeat, with the newer group protocol (KIP-848)?
    pub fn leaves_by_heartbeat(&self) -> bool {
        self.request()["memberEpoch"] == LEAVE_EPOCH
    }

    /// The assignment in the answer to a heartbeat, with the newer group protocol (KIP-848): the numbers of partitions for each
    /// topic. `None` if the assignment has not changed.
    pub fn assigned_by_heartbeat(&self) -> Option<Vec<(TopicRef<'_>, Vec<i32>)>> {
        let topics = self.response()["assignment"]["topicPartitions"].as_array()?;
        let assigned = topics.iter().map(|topic| {
            let numbers = list(&topic["partitions"]).filter_map(number);
            (TopicRef::of(topic), numbers.collect())
        });
        Some(assigned.collect())
    }

    /// How many partitions of a topic an answer assigns, with either group protocol; `None` if it assigns nothing anew. The newer
    /// protocol does not name topics, so there all of them count.
    pub fn assigned_of(&self, topic: &str) -> Option<usize> {
        if self.kind() == "SYNC_GROUP" && self.error_code() == 0 {
            let assigned = self.assigned()?;
            return Some(assigned.iter().filter(|one| one.topic == topic).count());
        }
        let assigned = self.assigned_by_heartbeat()?;
        Some(assigned.iter().map(|(_, numbers)| numbers.len()).sum())
    }

    /// The ids and the names of topics in the answer to a client that asked for topics.
    pub fn topic_names(&self) -> impl Iterator<Item = (&str, &str)> {
        let topics = list(&self.response()["topics"]);
        topics.filter_map(|topic| Some((topic["topicId"].as_str()?, topic["name"].as_str()?)))
    }

    /// The partitions of a fetch.
    pub fn fetched(&self) -> impl Iterator<Item = Fetched<'_>> {
        let asked = partitions(&self.request()["topics"], "partitions");
        asked.filter_map(|(topic, asked)| {
            Some(Fetched {
                topic,
                partition: number(&asked["partition"])?,
                offset: asked["fetchOffset"].as_i64()?,
            })
        })
    }

    /// The partitions in the answer to a fetch. A client may name a partition once and leave it out of later fetches (KIP-227).
    /// So the answer may hold partitions that the request does not name.
    pub fn sent(&self) -> impl Iterator<Item = Sent<'_>> {
        let limit = self.request()["maxBytes"].as_u64().unwrap_or(u64::MAX);
        let is_full = self.bytes_of_records() >= limit;
        let answers = partitions(&self.response()["responses"], "partitions");
        answers.filter_map(move |(topic, answer)| {
            let partition = number(&answer["partitionIndex"])?;
            let bytes = answer["recordsSizeInBytes"].as_u64().unwrap_or_default();
            // With read_committed, the broker sends nothing behind the first transaction that is open.
            let end = if self.request()["isolationLevel"] == 1 {
                &answer["lastStableOffset"]
            } else {
                &answer["highWatermark"]
            };
            let limit = self.most_bytes(topic, partition);
            Some(Sent {
                topic,
                partition,
                bytes,
                end: end.as_i64()?,
                up_to_end: !is_full && limit.is_none_or(|limit| bytes < limit),
            })
        })
    }

    /// How many bytes of a partition a fetch asks for at most; `None` if it does not name the partition.
    fn most_bytes(&self, topic: TopicRef<'_>, partition: i32) -> Option<u64> {
        let mut asked = partitions(&self.request()["topics"], "partitions");
        let (_, asked) = asked
            .find(|(of, asked)| *of == topic && number(&asked["partition"]) == Some(partition))?;
        asked["partitionMaxBytes"].as_u64()
    }

    /// How many bytes of records are in the answer to a fetch.
    pub fn bytes_of_records(&self) -> u64 {
        let answers = partitions(&self.response()["responses"], "partitions");
        let bytes = answers.filter_map(|(_, answer)| answer["recordsSizeInBytes"].as_u64());
        bytes.fold(0, u64::saturating_add)
    }

    /// The end of a partition, exclusively, in the answer to a fetch. `None` if the answer says nothing about the partition.
    pub fn high_watermark(&self, topic: TopicRef<'_>, partition: i32) -> Option<i64> {
        let mut answers = partitions(&self.response()["responses"], "partitions");
        let (_, answer) = answers.find(|(of, answer)| {
            *of == topic && number(&answer["partitionIndex"]) == Some(partition)
        })?;
        answer["highWatermark"].as_i64()
    }

    /// The partitions of a request to commit offsets, in a transaction or not.
    pub fn committed(&self) -> impl Iterator<Item = Committed<'_>> {
        let asked = partitions(&self.request()["topics"], "partitions");
        asked.filter_map(|(topic, asked)| {
            let partition = number(&asked["partitionIndex"])?;
            Some(Committed {
                topic,
                partition,
                offset: asked["committedOffset"].as_i64()?,
                error_code: self.commit_error(topic, partition),
            })
        })
    }

    fn commit_error(&self, topic: TopicRef<'_>, partition: i32) -> i64 {
        let mut answers = partitions(&self.response()["topics"], "partitions");
        let answer = answers.find(|(of, answer)| {
            *of == topic && number(&answer["partitionIndex"]) == Some(partition)
        });
        answer.map_or(0, |(_, answer)| {
            answer["errorCode"].as_i64().unwrap_or_default()
        })
    }

    /// The answer to a request for committed offsets: each partition with its offset, or with `None` if nothing was committed.
    pub fn committed_so_far(&self) -> impl Iterator<Item = (TopicRef<'_>, i32, Option<i64>)> {
        let groups = list(&self.response()["groups"]);
        let answers = groups.flat_map(|group| partitions(&group["topics"], "partitions"));
        answers.filter_map(|(topic, answer)| {
            let offset = answer["committedOffset"].as_i64()?;
            let partition = number(&answer["partitionIndex"])?;
            Some((topic, partition, Some(offset).filter(|offset| *offset >= 0)))
        })
    }

    /// The group of a request for committed offsets; empty if the request names none.
    pub fn group_of_offsets(&self) -> &str {
        let group = list(&self.request()["groups"]).next();
        group.map_or("", |group| text(&group["groupId"]))
    }

    /// The partitions to which a producer sends records.
    pub fn partitions_to_write(&self) -> impl Iterator<Item = (TopicRef<'_>, i32)> {
        let asked = partitions(&self.request()["topicData"], "partitionData");
        asked.filter_map(|(topic, asked)| Some((topic, number(&asked["index"])?)))
    }

    /// The partitions in the answer to a producer; none if it asked for no answer.
    pub fn produced(&self) -> impl Iterator<Item = Produced<'_>> {
        let answers = partitions(&self.response()["responses"], "partitionResponses");
        answers.filter_map(|(topic, answer)| {
            Some(Produced {
                topic,
                partition: number(&answer["index"])?,
                offset: answer["baseOffset"].as_i64()?,
                error_code: answer["errorCode"].as_i64()?,
            })
        })
    }

    /// The `acks` of a producer's request; -1 stands for all.
    pub fn acks(&self) -> Option<i64> {
        self.request()["acks"].as_i64()
    }

    /// The transactional id; `None` outside of transactions.
    pub fn transactional_id(&self) -> Option<&str> {
        // A request to add partitions has a field of another name.
        let ids = ["transactionalId", "v3AndBelowTransactionalId"];
        ids.into_iter().find_map(|id| self.request()[id].as_str())
    }

    /// The id and the epoch of the producer, if the request or its answer names them.
    pub fn producer(&self) -> Option<(i64, i64)> {
        let (request, response) = (self.request(), self.response());
        let named = [
            (&response["producerId"], &response["producerEpoch"]),
            (&request["producerId"], &request["producerEpoch"]),
            (
                &request["v3AndBelowProducerId"],
                &request["v3AndBelowProducerEpoch"],
            ),
        ];
        let mut numbers = named
            .into_iter()
            .filter_map(|(id, epoch)| Some((id.as_i64()?, epoch.as_i64()?)));
        numbers.find(|(id, _)| *id >= 0)
    }

    /// The partitions that a request adds to a transaction.
    pub fn partitions_to_add(&self) -> impl Iterator<Item = (TopicRef<'_>, i32)> {
        let topics = list(&self.request()["v3AndBelowTopics"]);
        topics.flat_map(|topic| {
            let numbers = list(&topic["partitions"]).filter_map(number);
            numbers.map(move |number| (TopicRef::of(topic), number))
        })
    }

    /// Does this request commit the transaction? If not, a request that ends a transaction aborts it.
    pub fn commits_transaction(&self) -> bool {
        self.request()["committed"] == true
    }

    /// The whole entry, as indented JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(&*self.json).unwrap_or_default()
    }

    fn request(&self) -> &Value {
        &self.json["request"]
    }

    fn response(&self) -> &Value {
        &self.json["response"]
    }
}

impl<'a> TopicRef<'a> {
    /// The name or the id, whichever the request gives.
    pub fn as_str(self) -> &'a str {
        match self {
            Self::Name(text) | Self::Id(text) => text,
        }
    }

    fn of(topic: &'a Value) -> Self {
        match text(&topic["name"]) {
            "" => Self::Id(text(&topic["topicId"])),
            name => Self::Name(name),
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value) -> Option<i32> {
    i32::try_from(value.as_i64()?).ok()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Each topic with each of its partitions. The partitions are in the list of this name in the topic.
fn partitions<'a>(
    topics: &'a Value,
    name: &'static str,
) -> impl Iterator<Item = (TopicRef<'a>, &'a Value)> {
    list(topics).flat_map(move |topic| {
        let of = TopicRef::of(topic);
        list(&topic[name]).map(move |partition| (of, partition))
    })
}

/// Adds the error codes other than 0 in this part of an answer. `topic` is the topic that the part is about.
fn find_refusals<'a>(value: &'a Value, topic: Option<TopicRef<'a>>, found: &mut Vec<Refusal<'a>>) {
    match value {
        Value::Object(fields) => {
            let names_topic = fields.contains_key("name") || fields.contains_key("topicId");
            let topic = if names_topic {
                Some(TopicRef::of(value))
            } else {
                topic
            };
            let codes = ["errorCode", "partitionErrorCode"].map(|name| value[name].as_i64());
            let numbers = ["partitionIndex", "index"].map(|name| number(&value[name]));
            if let Some(code) = codes.into_iter().flatten().find(|code| *code != 0) {
                found.push(Refusal {
                    topic,
                    partition: numbers.into_iter().flatten().next(),
                    code,
                });
            }
            for field in fields.values() {
                find_refusals(field, topic, found);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                find_refusals(element, topic, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
pub mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::json;

    use super::*;

    /// An entry about a request of a judged program, which the broker answered in 1.5 s.
    pub fn entry(kind: &str, request: &Value, response: &Value) -> Logged {
        let json = json!({
            "connection": "127.0.0.1:20109-127.0.0.1:37570-3-8",
            "listener": "GATE",
            "request": request,
            "requestHeader": { "clientId": "consumer", "requestApiKeyName": kind, "correlationId": 7 },
            "response": response,
            "totalTimeMs": 1500.0,
        });
        Logged::new(UNIX_EPOCH + Duration::from_secs(10), Arc::new(json))
    }

    /// A fetch from two partitions of a topic that it names by its id. The answer is about one of them.
    pub fn fetch() -> Logged {
        let asked = |partition, offset| json!({ "partition": partition, "fetchOffset": offset });
        entry(
            "FETCH",
            &json!({ "topics": [{ "topicId": "hB4TAr5", "partitions": [asked(0, 37), asked(2, 29)] }] }),
            &json!({ "errorCode": 0, "responses": [
                { "topicId": "other", "partitions": [{ "partitionIndex": 2, "highWatermark": 99 }] },
                { "topicId": "hB4TAr5", "partitions": [{ "partitionIndex": 2, "highWatermark": 41 }] },
            ] }),
        )
    }

    /// A commit of two offsets, one of which the broker refused.
    pub fn commit() -> Logged {
        let asked =
            |partition, offset| json!({ "partitionIndex": partition, "committedOffset": offset });
        let answer = |partition, code| json!({ "partitionIndex": partition, "errorCode": code });
        entry(
            "OFFSET_COMMIT",
            &json!({
                "groupId": "analytics-service",
                "memberId": "consumer-38ce",
                "topics": [{ "name": "clickstream", "partitions": [asked(0, 5), asked(1, 7)] }],
            }),
            &json!({ "topics": [{ "name": "clickstream", "partitions": [answer(0, 0), answer(1, 25)] }] }),
        )
    }

    #[test]
    fn reads_who_asked_and_when() {
        let logged = commit();
        assert_eq!(logged.kind(), "OFFSET_COMMIT");
        assert_eq!(logged.client_id(), Some("consumer"));
        assert_eq!(logged.member_id(), Some("consumer-38ce"));
        assert_eq!(logged.group(), "analytics-service");
        assert_eq!(logged.port_and_number(), Some((37570, 7)));
        assert!(logged.came_through_gate());
        assert_eq!(logged.took(), Duration::from_millis(1_500));
        assert_eq!(logged.asked_at(), UNIX_EPOCH + Duration::from_millis(8_500));
    }

    #[test]
    fn finds_errors_of_the_answer_and_of_its_parts() {
        let logged = commit();
        assert_eq!(logged.error_code(), 0);
        assert_eq!(logged.first_error(), Some(25));
        let codes: Vec<i64> = logged.committed().map(|one| one.error_code).collect();
        assert_eq!(codes, [0, 25]);
        let refused = entry("HEARTBEAT", &json!({}), &json!({ "errorCode": 27 }));
        assert_eq!(refused.error_code(), 27);
    }

    #[test]
    fn finds_the_end_of_a_fetched_partition_in_its_own_topic() {
        let logged = fetch();
        let fetched: Vec<(i32, i64)> = logged
            .fetched()
            .map(|one| (one.partition, one.offset))
            .collect();
        assert_eq!(fetched, [(0, 37), (2, 29)]);
        let topic = TopicRef::Id("hB4TAr5");
        assert_eq!(logged.high_watermark(topic, 2), Some(41));
        assert_eq!(logged.high_watermark(topic, 0), None);
    }

    #[test]
    fn reads_assignments_of_both_group_protocols() {
        let classic = entry(
            "SYNC_GROUP",
            &json!({}),
            &json!({ "errorCode": 0, "assignment": "AAAAAAABAAtjbGlja3N0cmVhbQAAAAMAAAAAAAAAAQAAAAIAAAAA" }),
        );
        let assigned = classic.assigned().unwrap();
        let numbers: Vec<i32> = assigned.iter().map(|one| one.partition).collect();
        assert_eq!(numbers, [0, 1, 2]);
        assert!(assigned.iter().all(|one| one.topic == "clickstream"));
        let newer = entry(
            "CONSUMER_GROUP_HEARTBEAT",
            &json!({ "memberEpoch": 0 }),
            &json!({ "assignment": { "topicPartitions": [{ "topicId": "hB4TAr5", "partitions": [1] }] } }),
        );
        assert!(newer.joins_by_heartbeat() && !newer.leaves_by_heartbeat());
        assert_eq!(
            newer.assigned_by_heartbeat(),
            Some(vec![(TopicRef::Id("hB4TAr5"), vec![1])])
        );
    }

    #[test]
    fn knows_which_lines_concern_programs() {
        assert!(Logged::concerns_programs(
            r#"{"listener":"GATE","request":{}}"#
        ));
        assert!(Logged::concerns_programs(
            r#"{"listener":"CLIENT","requestHeader":{"requestApiKeyName":"LEAVE_GROUP"}}"#
        ));
        assert!(!Logged::concerns_programs(
            r#"{"listener":"CLIENT","requestHeader":{"requestApiKeyName":"FETCH"}}"#
        ));
    }
}
