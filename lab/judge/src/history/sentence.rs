//! A request that the broker answered, in a sentence.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;
use serde_json::Value;

use cluster::assignment;

/// Requests that a client makes to find its way; they tell a reader nothing.
const HOUSEKEEPING: &[&str] = &[
    "API_VERSIONS",
    "METADATA",
    "FIND_COORDINATOR",
    "LIST_OFFSETS",
    "GET_TELEMETRY_SUBSCRIPTIONS",
    "PUSH_TELEMETRY",
    "OFFSET_FOR_LEADER_EPOCH",
    "DESCRIBE_GROUPS",
    "LIST_GROUPS",
    "WRITE_TXN_MARKERS",
];

/// The answer to the first JoinGroup only hands out the member id (KIP-394).
const MEMBER_ID_REQUIRED: i64 = 79;

/// The answer to a heartbeat while the group rebalances.
const REBALANCE_IN_PROGRESS: i64 = 27;

/// Answers to a transactional producer that came too early; it asks again, and nobody needs to know:
/// COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, CONCURRENT_TRANSACTIONS.
const TOO_EARLY: &[i64] = &[14, 15, 51];

/// What a producer does in a transaction before it commits or aborts.
const TRANSACTIONAL: &[&str] = &[
    "INIT_PRODUCER_ID",
    "ADD_PARTITIONS_TO_TXN",
    "ADD_OFFSETS_TO_TXN",
    "TXN_OFFSET_COMMIT",
];

/// The epoch by which a member says goodbye in the protocol of KIP-848.
pub const LEAVE_EPOCH: i64 = -1;

/// What the request did, or `None` where nobody needs to know.
pub fn sentence(logged: &Value) -> Option<String> {
    let (request, response) = (&logged["request"], &logged["response"]);
    let code = first_error(response);
    let error = code.map_or_else(String::new, |code| format!(": refused, {}", name(code)));
    let group = request["groupId"].as_str().unwrap_or_default();
    let api = api(logged);
    Some(match api {
        _ if HOUSEKEEPING.contains(&api) => return None,
        _ if TRANSACTIONAL.contains(&api) && code.is_some_and(|code| TOO_EARLY.contains(&code)) => {
            return None;
        }
        "JOIN_GROUP" if response["errorCode"] == MEMBER_ID_REQUIRED => return None,
        "JOIN_GROUP" => format!(
            "joined {group}, session timeout {} s{}{error}",
            request["sessionTimeoutMs"].as_i64().unwrap_or_default() / 1000,
            waited(logged)
        ),
        "SYNC_GROUP" if error.is_empty() => format!("was given {}", given(response)),
        "SYNC_GROUP" => format!("was given nothing{error}"),
        "HEARTBEAT" if response["errorCode"] == REBALANCE_IN_PROGRESS => {
            format!("heard that {group} rebalances")
        }
        "HEARTBEAT" if error.is_empty() => return None,
        "HEARTBEAT" => format!("was not heard as a member{error}"),
        "OFFSET_FETCH" => format!("asked where the group stands: {}", stands(response)),
        "FETCH" => format!("reads {}", reads(request)?),
        "PRODUCE" => produced(request, response),
        "OFFSET_COMMIT" => format!("committed {}{error}", offsets(request)),
        "LEAVE_GROUP" => format!("left {group}{error}"),
        "CONSUMER_GROUP_HEARTBEAT" if request["memberEpoch"] == 0 => {
            format!("joined {group} (by the protocol of KIP-848){error}")
        }
        "CONSUMER_GROUP_HEARTBEAT" if request["memberEpoch"] == LEAVE_EPOCH => {
            format!("left {group}{error}")
        }
        "CONSUMER_GROUP_HEARTBEAT" => match response["assignment"]["topicPartitions"].as_array() {
            Some(topics) => {
                let lists = topics.iter().map(|topic| topic["partitions"].to_string());
                format!(
                    "was given partitions {}",
                    lists.collect::<Vec<_>>().join(", ")
                )
            }
            None => return None,
        },
        "INIT_PRODUCER_ID" => match request["transactionalId"].as_str() {
            Some(id) if error.is_empty() => {
                format!("took the transactional id {id}; whoever had it is fenced")
            }
            Some(id) => format!("asked for the transactional id {id}{error}"),
            None => return None,
        },
        // What is added is told when it comes: records, offsets.
        "ADD_PARTITIONS_TO_TXN" | "ADD_OFFSETS_TO_TXN" if error.is_empty() => return None,
        "ADD_PARTITIONS_TO_TXN" => format!("wanted partitions in its transaction{error}"),
        "ADD_OFFSETS_TO_TXN" => format!("wanted offsets of {group} in its transaction{error}"),
        "TXN_OFFSET_COMMIT" => format!("offsets in the transaction: {}{error}", offsets(request)),
        "END_TXN" if !error.is_empty() => format!("wanted to end its transaction{error}"),
        "END_TXN" if request["committed"] == true => "committed its transaction".to_string(),
        "END_TXN" => "aborted its transaction".to_string(),
        other => format!(
            "asked for {}{error}",
            other.to_lowercase().replace('_', " ")
        ),
    })
}

/// The kind of request: `OFFSET_COMMIT`.
pub fn api(logged: &Value) -> &str {
    let name = logged["requestHeader"]["requestApiKeyName"].as_str();
    name.unwrap_or_default()
}

/// The first error anywhere in an answer.
fn first_error(value: &Value) -> Option<i64> {
    match value {
        Value::Object(fields) => fields
            .get("errorCode")
            .and_then(Value::as_i64)
            .filter(|code| *code != 0)
            .or_else(|| fields.values().find_map(first_error)),
        Value::Array(elements) => elements.iter().find_map(first_error),
        _ => None,
    }
}

/// librdkafka's numbers for what a broker answers are Kafka's own.
fn name(code: i64) -> String {
    let known = i32::try_from(code).ok();
    let known = known.and_then(|code| RDKafkaRespErr::try_from(code).ok());
    known.map_or_else(
        || format!("error {code}"),
        |known| RDKafkaErrorCode::from(known).to_string(),
    )
}

/// A request that had to wait says for how long.
fn waited(logged: &Value) -> String {
    let millis = logged["totalTimeMs"].as_f64().unwrap_or_default();
    if millis < 500.0 {
        String::new()
    } else {
        format!(", after a wait of {:.1} s", millis / 1000.0)
    }
}

fn given(response: &Value) -> String {
    let bytes = BASE64_STANDARD.decode(response["assignment"].as_str().unwrap_or_default());
    let Some(partitions) = bytes.ok().and_then(|bytes| assignment(&bytes)) else {
        return "an assignment that cannot be read".to_string();
    };
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in &partitions {
        let numbers = topics.entry(&partition.topic).or_default();
        numbers.push(partition.partition);
    }
    let given = topics.iter().map(|(topic, numbers)| {
        let of = if topics.len() > 1 {
            format!(" of {topic}")
        } else {
            String::new()
        };
        match &numbers[..] {
            [one] => format!("partition {one}{of}"),
            several => format!("partitions {several:?}{of}"),
        }
    });
    if topics.is_empty() {
        "no partition".to_string()
    } else {
        given.collect::<Vec<_>>().join(", ")
    }
}

/// The partitions of all topics, in whatever list of each topic they stand.
pub fn partitions_of<'a>(topics: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    let topics = topics.as_array().into_iter().flatten();
    topics.flat_map(move |topic| topic[list].as_array().into_iter().flatten())
}

/// Each partition that `list` names, by `show`.
fn partitions<'a>(
    topics: &'a Value,
    list: &str,
    show: impl Fn(&'a Value) -> Option<String>,
) -> String {
    let partitions = partitions_of(topics, list);
    partitions.filter_map(show).collect::<Vec<_>>().join(", ")
}

fn stands(response: &Value) -> String {
    let groups = response["groups"].as_array().into_iter().flatten();
    let all: Vec<String> = groups
        .map(|group| {
            partitions(&group["topics"], "partitions", |partition| {
                let offset = match partition["committedOffset"].as_i64()? {
                    -1 => "no commit".to_string(),
                    offset => offset.to_string(),
                };
                Some(format!("p{} {offset}", partition["partitionIndex"]))
            })
        })
        .collect();
    all.join(", ")
}

fn reads(request: &Value) -> Option<String> {
    let read = partitions(&request["topics"], "partitions", |partition| {
        Some(format!(
            "p{} from {}",
            partition["partition"], partition["fetchOffset"]
        ))
    });
    (!read.is_empty()).then_some(read)
}

fn offsets(request: &Value) -> String {
    partitions(&request["topics"], "partitions", |partition| {
        Some(format!(
            "p{} {}",
            partition["partitionIndex"], partition["committedOffset"]
        ))
    })
}

fn produced(request: &Value, response: &Value) -> String {
    let acks = match request["acks"].as_i64() {
        Some(-1) => "all".to_string(),
        Some(acks) => acks.to_string(),
        None => "?".to_string(),
    };
    let answers = partitions(&response["responses"], "partitionResponses", |partition| {
        let code = partition["errorCode"].as_i64()?;
        Some(if code == 0 {
            format!("p{} from {}", partition["index"], partition["baseOffset"])
        } else {
            format!("p{} refused, {}", partition["index"], name(code))
        })
    });
    let answers = if answers.is_empty() {
        "no answer was asked for"
    } else {
        &answers
    };
    let within = match request["transactionalId"].as_str() {
        Some(_) => " in its transaction",
        None => "",
    };
    format!("sent records{within} with acks={acks}: {answers}")
}
