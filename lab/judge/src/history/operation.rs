//! A request as an operation, in the words of Jepsen's tests of Kafka, such as `send`, `poll`, `ok` and `fail`. A request for
//! which Jepsen has no word keeps the name that Kafka gives it. `docs/history.md` explains each field.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::history::effect::TopicIds;
use crate::history::logged::{Logged, TopicRef};
use crate::history::sentence::error_name;

/// The kinds of requests that are operations, by Kafka's names for them.
pub const KINDS: &[&str] = &[
    "PRODUCE",
    "FETCH",
    "OFFSET_COMMIT",
    "TXN_OFFSET_COMMIT",
    "OFFSET_FETCH",
    "JOIN_GROUP",
    "SYNC_GROUP",
    "HEARTBEAT",
    "CONSUMER_GROUP_HEARTBEAT",
    "LEAVE_GROUP",
    "INIT_PRODUCER_ID",
    "ADD_PARTITIONS_TO_TXN",
    "ADD_OFFSETS_TO_TXN",
    "END_TXN",
];

/// Error codes of answers that do not say whether the request had an effect: UNKNOWN_SERVER_ERROR, REQUEST_TIMED_OUT,
/// NOT_ENOUGH_REPLICAS_AFTER_APPEND.
const UNDECIDED: &[i64] = &[-1, 7, 20];

/// A poll with more records than this names only the first of them. A program may write and fetch any number.
const MOST_RECORDS: i64 = 10_000;

/// Whether an operation begins, or how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It begins.
    Invoke,
    /// It has happened.
    Ok,
    /// It has not happened: the broker refused it.
    Fail,
    /// The client cannot know whether it has happened, or only a part of it has happened.
    Info,
}

/// A request as an operation.
#[derive(Debug)]
pub struct Operation {
    pub f: String,
    /// Its value when it is invoked.
    pub asked: Value,
    /// Its value when it is completed.
    pub answered: Value,
    /// How it ended.
    pub outcome: Phase,
    pub errors: Vec<Value>,
    /// What Jepsen has no field for; and what of that only the answer shows.
    pub details: Map<String, Value>,
    pub details_of_answer: Map<String, Value>,
}

/// From where the fetches of one connection read each partition, in the order of the requests.
#[derive(Debug, Default)]
pub struct Positions(BTreeMap<String, Vec<(usize, i64)>>);

impl Positions {
    /// The positions of a connection with these requests.
    pub fn of(requests: &[&Logged], topics: &TopicIds) -> Self {
        let mut positions = Self::default();
        for (at, logged) in requests.iter().enumerate() {
            for (key, offset) in positions_asked(logged, topics) {
                positions.0.entry(key).or_default().push((at, offset));
            }
        }
        positions
    }

    /// From where the request with this number reads this partition, and from where the next request reads that names it.
    fn around(&self, at: usize, key: &str) -> (Option<i64>, Option<i64>) {
        let all = self.0.get(key).map_or(&[][..], Vec::as_slice);
        let (past, future) = all.split_at(all.partition_point(|(number, _)| *number <= at));
        let offset = |found: Option<&(usize, i64)>| found.map(|(_, offset)| *offset);
        (offset(past.last()), offset(future.first()))
    }
}

impl Operation {
    /// The operation that a request was. It has the number `at` on its connection, which has these positions. `is_delivered`
    /// says whether the client got the answer.
    pub fn of(
        logged: &Logged,
        topics: &TopicIds,
        positions: &Positions,
        at: usize,
        is_delivered: bool,
    ) -> Self {
        let f = name(logged);
        let sent = sent(logged, topics, positions, at);
        let (asked, answered) = values(logged, &f, topics, &sent);
        let mut details = details(logged);
        if logged.kind() == "FETCH" {
            let from = by_key(positions_asked(logged, topics));
            details.insert("from".to_string(), from);
        }
        let mut more = Map::new();
        if !is_delivered {
            more.insert("undelivered".to_string(), json!(true));
        }
        // With the newer group protocol, the answer to a member that joins may already assign partitions.
        if f == "subscribe"
            && let Some(assigned) = assigned(logged, topics)
        {
            more.insert("assigned".to_string(), json!(assigned));
        }
        let not_listed = sent.iter().filter(|sent| sent.to.is_none());
        let not_listed: Vec<&str> = not_listed.map(|sent| sent.key.as_str()).collect();
        if !not_listed.is_empty() {
            more.insert("not_listed".to_string(), json!(not_listed));
        }
        Self {
            asked,
            answered,
            outcome: outcome(logged, is_delivered),
            errors: errors(logged, topics),
            details,
            details_of_answer: more,
            f,
        }
    }
}

/// The operation's name.
fn name(logged: &Logged) -> String {
    let kind = logged.kind();
    let name = match kind {
        "PRODUCE" => "send",
        "FETCH" => "poll",
        "OFFSET_COMMIT" | "TXN_OFFSET_COMMIT" => "commit",
        "JOIN_GROUP" => "subscribe",
        "SYNC_GROUP" => "assign",
        "CONSUMER_GROUP_HEARTBEAT" if logged.joins_by_heartbeat() => "subscribe",
        "CONSUMER_GROUP_HEARTBEAT" if logged.leaves_by_heartbeat() => "leave_group",
        "CONSUMER_GROUP_HEARTBEAT" if logged.assigned_by_heartbeat().is_some() => "assign",
        "CONSUMER_GROUP_HEARTBEAT" => "heartbeat",
        other => return other.to_lowercase(),
    };
    name.to_string()
}

/// The values of the operation when it is invoked and when it is completed.
fn values(logged: &Logged, f: &str, topics: &TopicIds, sent: &[Records]) -> (Value, Value) {
    let key = |(topic, partition)| topics.key(topic, partition);
    match f {
        "send" => sends(logged, topics),
        "poll" => {
            let polled = sent.iter().map(|sent| {
                let offsets = sent.from.map(|from| from..sent.to.unwrap_or(from + 1));
                let records = offsets.into_iter().flatten();
                let records = records.map(|offset| json!([offset, null]));
                (&sent.key, records.collect())
            });
            let polled: BTreeMap<&String, Vec<Value>> = polled.collect();
            (json!([["poll"]]), json!([["poll", polled]]))
        }
        "commit" => {
            let committed = logged.committed();
            both(by_key(committed.map(|one| {
                (topics.key(one.topic, one.partition), one.offset)
            })))
        }
        "offset_fetch" => {
            let known = logged.committed_so_far();
            let known = known.map(|(topic, partition, offset)| (key((topic, partition)), offset));
            (Value::Null, by_key(known))
        }
        "subscribe" => both(json!(logged.subscription())),
        "assign" => (Value::Null, json!(assigned(logged, topics))),
        "add_partitions_to_txn" => both(json!(
            logged.partitions_to_add().map(key).collect::<Vec<_>>()
        )),
        "end_txn" if logged.commits_transaction() => both(json!("commit")),
        "end_txn" => both(json!("abort")),
        _ => both(Value::Null),
    }
}

fn both(value: Value) -> (Value, Value) {
    (value.clone(), value)
}

fn by_key<T: Serialize>(pairs: impl IntoIterator<Item = (String, T)>) -> Value {
    json!(pairs.into_iter().collect::<BTreeMap<_, _>>())
}

/// A micro-operation for each partition that a producer sends records to. An answer gives the offset of the first record.
fn sends(logged: &Logged, topics: &TopicIds) -> (Value, Value) {
    let written = logged.produced().filter(|one| one.error_code == 0);
    let written: BTreeMap<String, i64> = written
        .map(|one| (topics.key(one.topic, one.partition), one.offset))
        .collect();
    let keys = logged.partitions_to_write();
    let keys = keys.map(|(topic, partition)| topics.key(topic, partition));
    let pairs = keys.map(|key| {
        let offset = written.get(&key);
        let record = offset.map_or(Value::Null, |offset| json!([offset, null]));
        (json!(["send", key, null]), json!(["send", key, record]))
    });
    let (asked, answered): (Vec<Value>, Vec<Value>) = pairs.unzip();
    (json!(asked), json!(answered))
}

/// The partitions that a fetch names, and the offset that it reads from in each.
fn positions_asked(logged: &Logged, topics: &TopicIds) -> Vec<(String, i64)> {
    let fetched = logged.fetched();
    let asked = fetched.map(|one| (topics.key(one.topic, one.partition), one.offset));
    asked.collect()
}

/// The records of a partition in the answer to a fetch.
struct Records {
    key: String,
    /// The offset of the first record; `None` if the client has never named one.
    from: Option<i64>,
    /// Where they end, exclusively; `None` if nothing says so, or if they are too many to be listed.
    to: Option<i64>,
}

/// The records in the answer to a fetch. The log gives only their size. So they end where the partition ended, or where the
/// client goes on to read if that is later. It may be later because the broker notes the partition's end before it takes the
/// records, and more may be written in between.
fn sent(logged: &Logged, topics: &TopicIds, positions: &Positions, at: usize) -> Vec<Records> {
    let with_records = logged.sent().filter(|sent| sent.bytes > 0);
    let records = with_records.map(|sent| {
        let key = topics.key(sent.topic, sent.partition);
        let (from, next) = positions.around(at, &key);
        let end = Some(sent.end).filter(|_| sent.up_to_end);
        let is_listed = |to: &i64| {
            from.is_some_and(|from| (1..=MOST_RECORDS).contains(&to.saturating_sub(from)))
        };
        Records {
            to: end.max(next).filter(is_listed),
            key,
            from,
        }
    });
    records.collect()
}

/// The partitions in the answer to a member; `None` if it holds no assignment that can be read.
fn assigned(logged: &Logged, topics: &TopicIds) -> Option<Vec<String>> {
    if logged.kind() == "SYNC_GROUP" {
        let assigned = logged.assigned()?;
        let keys = assigned
            .iter()
            .map(|one| topics.key(TopicRef::Name(&one.topic), one.partition));
        return Some(keys.collect());
    }
    let assigned = logged.assigned_by_heartbeat()?;
    let keys = assigned.iter().flat_map(|(topic, numbers)| {
        let numbers = numbers.iter();
        numbers.map(|number| topics.key(*topic, *number))
    });
    Some(keys.collect())
}

fn outcome(logged: &Logged, is_delivered: bool) -> Phase {
    let refusals = logged.refusals();
    let is_unanswered = logged.kind() == "PRODUCE" && logged.acks() == Some(0);
    let undecided = refusals.iter().any(|one| UNDECIDED.contains(&one.code));
    if !is_delivered || is_unanswered || undecided {
        return Phase::Info;
    }
    if refusals.is_empty() {
        return Phase::Ok;
    }
    let accepted = match logged.kind() {
        _ if logged.error_code() != 0 => 0,
        "PRODUCE" => logged.produced().filter(|one| one.error_code == 0).count(),
        "OFFSET_COMMIT" | "TXN_OFFSET_COMMIT" => {
            let committed = logged.committed();
            committed.filter(|one| one.error_code == 0).count()
        }
        // A client that reads can use what it got.
        "FETCH" if logged.bytes_of_records() > 0 => return Phase::Ok,
        _ => 0,
    };
    if accepted == 0 {
        Phase::Fail
    } else {
        Phase::Info
    }
}

fn errors(logged: &Logged, topics: &TopicIds) -> Vec<Value> {
    let refusals = logged.refusals();
    let errors = refusals.iter().map(|refusal| {
        let words = error_name(refusal.code);
        let name = words.split(" (").next();
        let mut error = json!({ "code": refusal.code, "name": name });
        if let (Some(topic), Some(partition)) = (refusal.topic, refusal.partition) {
            error["key"] = json!(topics.key(topic, partition));
        }
        error
    });
    errors.collect()
}

/// Who sent the request, and for whom: its group, member and producer.
fn details(logged: &Logged) -> Map<String, Value> {
    let mut details = Map::new();
    let mut add = |name: &str, value: Value| {
        if !value.is_null() {
            details.insert(name.to_string(), value);
        }
    };
    let groups = [logged.group(), logged.group_of_offsets()];
    let group = groups.into_iter().find(|group| !group.is_empty());
    add("client", json!(logged.client_id()));
    add("group", json!(group));
    add("member", json!(logged.member_id()));
    add("generation", json!(logged.generation()));
    add("transactional_id", json!(logged.transactional_id()));
    if let Some((id, epoch)) = logged.producer() {
        add("producer_id", json!(id));
        add("producer_epoch", json!(epoch));
    }
    if logged.kind() == "PRODUCE" {
        add("acks", json!(logged.acks()));
    }
    if let Some((port, number)) = logged.port_and_number() {
        add("port", json!(port));
        add("correlation_id", json!(number));
    }
    details
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::logged::tests::{commit, entry, fetch};

    /// The operation of the first of these requests, which one connection made.
    fn first(requests: &[Logged]) -> Operation {
        let mut topics = TopicIds::default();
        let names = json!({ "topics": [{ "topicId": "hB4TAr5", "name": "clickstream" }] });
        topics.learn(&entry("METADATA", &json!({}), &names));
        let all: Vec<&Logged> = requests.iter().collect();
        Operation::of(
            &requests[0],
            &topics,
            &Positions::of(&all, &topics),
            0,
            true,
        )
    }

    fn produce(acks: i64, codes: [i64; 2]) -> Operation {
        let asked = [0, 1].map(|index| json!({ "index": index, "recordsSizeInBytes": 70 }));
        let answer = |index: usize| {
            let code = codes[index];
            let offset = if code == 0 { 22 } else { -1 };
            json!({ "index": index, "baseOffset": offset, "errorCode": code })
        };
        let answers = [0, 1].map(answer);
        first(&[entry(
            "PRODUCE",
            &json!({ "acks": acks, "topicData": [{ "name": "purchases", "partitionData": asked }] }),
            &json!({ "responses": [{ "name": "purchases", "partitionResponses": answers }] }),
        )])
    }

    /// A fetch of partition 1 from this offset. The answer has this many bytes; the partition ended at 40.
    fn fetch_of(offset: i64, bytes: u64) -> Logged {
        let asked = json!({ "partition": 1, "fetchOffset": offset, "partitionMaxBytes": 1000 });
        let answer = json!({
            "partitionIndex": 1, "errorCode": 0, "recordsSizeInBytes": bytes,
            "highWatermark": 40, "lastStableOffset": 39,
        });
        entry(
            "FETCH",
            &json!({ "maxBytes": 5000, "isolationLevel": 1, "topics": [{ "topicId": "hB4TAr5", "partitions": [asked] }] }),
            &json!({ "errorCode": 0, "responses": [{ "topicId": "hB4TAr5", "partitions": [answer] }] }),
        )
    }

    #[test]
    fn a_commit_that_is_refused_in_part_has_an_unknown_outcome() {
        let commit = first(&[commit()]);
        assert_eq!(commit.f, "commit");
        assert_eq!(
            commit.answered,
            json!({ "clickstream-0": 5, "clickstream-1": 7 })
        );
        assert_eq!(commit.outcome, Phase::Info);
        let error = json!({ "code": 25, "name": "UnknownMemberId", "key": "clickstream-1" });
        assert_eq!(commit.errors, [error]);
        assert_eq!(commit.details["group"], "analytics-service");
        assert_eq!(commit.details["port"], 37570);
        assert_eq!(commit.details["correlation_id"], 7);
    }

    #[test]
    fn a_send_has_the_offset_of_each_partition_that_was_written() {
        let sent = produce(-1, [0, 0]);
        assert_eq!(sent.outcome, Phase::Ok);
        assert_eq!(
            sent.asked,
            json!([["send", "purchases-0", null], ["send", "purchases-1", null]])
        );
        let part = produce(-1, [0, 10]);
        assert_eq!(part.outcome, Phase::Info);
        assert_eq!(
            part.answered,
            json!([
                ["send", "purchases-0", [22, null]],
                ["send", "purchases-1", null]
            ])
        );
        assert_eq!(produce(-1, [10, 10]).outcome, Phase::Fail);
        // The broker may have written the records before it gave up on its replicas.
        assert_eq!(produce(-1, [20, 20]).outcome, Phase::Info);
        assert_eq!(produce(0, [0, 0]).outcome, Phase::Info);
    }

    #[test]
    fn a_poll_lists_the_records_up_to_the_end_or_to_where_the_client_goes_on() {
        let polled = |poll: &Operation| {
            let records = poll.answered[0][1]["clickstream-1"].as_array();
            let offsets = records
                .into_iter()
                .flatten()
                .map(|record| record[0].as_i64());
            offsets.collect::<Option<Vec<i64>>>().unwrap()
        };
        let to_end = first(&[fetch_of(36, 70)]);
        assert_eq!(to_end.asked, json!([["poll"]]));
        assert_eq!(to_end.details["from"], json!({ "clickstream-1": 36 }));
        assert_eq!(polled(&to_end), [36, 37, 38]);
        let further = first(&[fetch_of(36, 70), fetch_of(40, 0)]);
        assert_eq!(polled(&further), [36, 37, 38, 39]);
        assert!(further.details_of_answer.is_empty());
        // The answer is full, so it may end before the partition does.
        let full = first(&[fetch_of(36, 1000)]);
        assert_eq!(polled(&full), [36]);
        assert_eq!(
            full.details_of_answer["not_listed"],
            json!(["clickstream-1"])
        );
        assert_eq!(first(&[fetch()]).answered, json!([["poll", {}]]));
    }

    #[test]
    fn members_subscribe_and_are_assigned_partitions_in_both_group_protocols() {
        let metadata = "AAMAAAABAAtjbGlja3N0cmVhbQAAAAAAAAAA/////wAA";
        let join =
            json!({ "groupId": "g", "protocols": [{ "name": "range", "metadata": metadata }] });
        let join = first(&[entry(
            "JOIN_GROUP",
            &join,
            &json!({ "errorCode": 0, "generationId": 3 }),
        )]);
        assert_eq!(
            (join.f.as_str(), &join.asked),
            ("subscribe", &json!(["clickstream"]))
        );
        assert_eq!(join.details["generation"], 3);
        let cut = json!({ "protocols": [{ "name": "range", "metadata": &metadata[..20] }] });
        let cut = first(&[entry("JOIN_GROUP", &cut, &json!({}))]);
        assert_eq!(cut.asked, Value::Null);
        let assignment = "AAAAAAABAAtjbGlja3N0cmVhbQAAAAMAAAAAAAAAAQAAAAIAAAAA";
        let sync = json!({ "errorCode": 0, "assignment": assignment });
        let sync = first(&[entry("SYNC_GROUP", &json!({}), &sync)]);
        let all = json!(["clickstream-0", "clickstream-1", "clickstream-2"]);
        assert_eq!((sync.f.as_str(), &sync.answered), ("assign", &all));
        let assigned = json!({ "topicPartitions": [{ "topicId": "hB4TAr5", "partitions": [1] }] });
        let newer = |epoch, answer: &Value| {
            let request = json!({ "memberEpoch": epoch, "subscribedTopicNames": ["clickstream"] });
            first(&[entry("CONSUMER_GROUP_HEARTBEAT", &request, answer)])
        };
        let none = json!({ "assignment": null });
        assert_eq!(newer(0, &none).f, "subscribe");
        assert_eq!(newer(2, &none).f, "heartbeat");
        assert_eq!(newer(-1, &none).f, "leave_group");
        let assigned = json!({ "assignment": assigned });
        let joined = newer(0, &assigned).details_of_answer;
        assert_eq!(joined["assigned"], json!(["clickstream-1"]));
        let newer = newer(2, &assigned);
        assert_eq!(
            (newer.f.as_str(), newer.answered),
            ("assign", json!(["clickstream-1"]))
        );
    }

    #[test]
    fn a_refusal_to_add_partitions_to_a_transaction_is_read() {
        let topics = json!([{ "name": "purchases", "partitions": [1] }]);
        let refused = json!({ "partitionIndex": 1, "partitionErrorCode": 47 });
        let add = first(&[entry(
            "ADD_PARTITIONS_TO_TXN",
            &json!({ "v3AndBelowTransactionalId": "id", "v3AndBelowTopics": topics }),
            &json!({ "resultsByTopicV3AndBelow": [{ "name": "purchases", "resultsByPartition": [refused] }] }),
        )]);
        assert_eq!(add.f, "add_partitions_to_txn");
        assert_eq!(add.asked, json!(["purchases-1"]));
        assert_eq!(add.outcome, Phase::Fail);
        assert_eq!(add.errors[0]["key"], "purchases-1");
        assert_eq!(add.details["transactional_id"], "id");
    }
}
