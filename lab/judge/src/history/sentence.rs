//! What a client did with a request, in words. A sentence has no subject: the client's name goes before it.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use crate::history::logged::Logged;

/// Requests by which a client finds its way. They tell a reader nothing.
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

/// The error code of the answer to a member's first JoinGroup, which only hands out the member id (KIP-394).
const MEMBER_ID_REQUIRED: i64 = 79;

/// The error code of the answer to a heartbeat while the group rebalances.
const REBALANCE_IN_PROGRESS: i64 = 27;

/// Error codes of answers to a transactional producer that asked too early: COORDINATOR_LOAD_IN_PROGRESS,
/// COORDINATOR_NOT_AVAILABLE, CONCURRENT_TRANSACTIONS. The client asks again by itself.
const TOO_EARLY: &[i64] = &[14, 15, 51];

/// What a producer does in a transaction before it commits or aborts the transaction.
const TRANSACTIONAL: &[&str] = &[
    "INIT_PRODUCER_ID",
    "ADD_PARTITIONS_TO_TXN",
    "ADD_OFFSETS_TO_TXN",
    "TXN_OFFSET_COMMIT",
];

/// A sentence names a wait for the broker's answer only if it took at least this long.
const LONG_WAIT: Duration = Duration::from_millis(500);

/// What we do when we remove a member from its group, said of the member.
pub const REMOVED: &str = "was removed from its group, without waiting for the session timeout";

/// What a client did with this request, or `None` if a reader does not need to know.
pub fn sentence(logged: &Logged) -> Option<String> {
    let code = logged.first_error();
    let error = code.map_or_else(String::new, |code| {
        format!(": refused, {}", error_name(code))
    });
    let did = |done, tried| if code.is_none() { done } else { tried };
    let group = logged.group();
    let kind = logged.kind();
    Some(match kind {
        _ if HOUSEKEEPING.contains(&kind) => return None,
        _ if TRANSACTIONAL.contains(&kind)
            && code.is_some_and(|code| TOO_EARLY.contains(&code)) =>
        {
            return None;
        }
        "JOIN_GROUP" if logged.error_code() == MEMBER_ID_REQUIRED => return None,
        "JOIN_GROUP" => format!(
            "{} {group}, session timeout {} s{}{error}",
            did("joined", "tried to join"),
            logged.session_timeout().unwrap_or_default().as_secs(),
            waited(logged)
        ),
        "SYNC_GROUP" if code.is_none() => format!("was assigned {}", assigned(logged)),
        "SYNC_GROUP" => format!("asked for its partitions{error}"),
        "HEARTBEAT" if logged.error_code() == REBALANCE_IN_PROGRESS => {
            format!("learned that {group} is rebalancing")
        }
        "HEARTBEAT" if code.is_none() => return None,
        "HEARTBEAT" => format!("sent a heartbeat{error}"),
        "OFFSET_FETCH" => format!(
            "asked for the committed offsets: {}",
            committed_so_far(logged)
        ),
        "FETCH" => format!("fetched {}", fetched(logged)?),
        "PRODUCE" => produced(logged),
        "OFFSET_COMMIT" => format!(
            "{} {}{error}",
            did("committed", "tried to commit"),
            offsets(logged)
        ),
        "LEAVE_GROUP" => format!("{} {group}{error}", did("left", "tried to leave")),
        "CONSUMER_GROUP_HEARTBEAT" if logged.joins_by_heartbeat() => format!(
            "{} {group} with the newer group protocol (KIP-848){error}",
            did("joined", "tried to join")
        ),
        "CONSUMER_GROUP_HEARTBEAT" if logged.leaves_by_heartbeat() => {
            format!("{} {group}{error}", did("left", "tried to leave"))
        }
        "CONSUMER_GROUP_HEARTBEAT" => {
            format!("was assigned {}", assigned_by_heartbeat(logged)?)
        }
        "INIT_PRODUCER_ID" => {
            let id = logged.transactional_id()?;
            match code {
                None => format!(
                    "took the transactional id {id}, which fences any earlier producer with this id"
                ),
                Some(_) => format!("asked for the transactional id {id}{error}"),
            }
        }
        // The records and the offsets that follow show what was added.
        "ADD_PARTITIONS_TO_TXN" | "ADD_OFFSETS_TO_TXN" if code.is_none() => return None,
        "ADD_PARTITIONS_TO_TXN" => format!("tried to add partitions to its transaction{error}"),
        "ADD_OFFSETS_TO_TXN" => {
            format!("tried to add offsets of {group} to its transaction{error}")
        }
        "TXN_OFFSET_COMMIT" => format!(
            "{} offsets to its transaction ({}){error}",
            did("sent", "tried to send"),
            offsets(logged)
        ),
        "END_TXN" if logged.commits_transaction() => {
            format!(
                "{} its transaction{error}",
                did("committed", "tried to commit")
            )
        }
        "END_TXN" => format!(
            "{} its transaction{error}",
            did("aborted", "tried to abort")
        ),
        other => format!("sent the request {other}{error}"),
    })
}

/// The name of an error code of Kafka's protocol. librdkafka uses the same numbers.
pub fn error_name(code: i64) -> String {
    let known = i32::try_from(code).ok();
    let known = known.and_then(|code| RDKafkaRespErr::try_from(code).ok());
    known.map_or_else(
        || format!("error {code}"),
        |known| RDKafkaErrorCode::from(known).to_string(),
    )
}

/// How long the client waited for the answer, if that was long.
fn waited(logged: &Logged) -> String {
    let took = logged.took();
    if took < LONG_WAIT {
        String::new()
    } else {
        format!(", after waiting {:.1} s", took.as_secs_f64())
    }
}

/// The partitions that a member was assigned; with their topics if there are several.
fn assigned(logged: &Logged) -> String {
    let Some(partitions) = logged.assigned() else {
        return "partitions, but the assignment cannot be read".to_string();
    };
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in &partitions {
        let numbers = topics.entry(&partition.topic).or_default();
        numbers.push(partition.partition);
    }
    let in_words = topics.iter().map(|(topic, numbers)| {
        let of = if topics.len() > 1 {
            format!(" of {topic}")
        } else {
            String::new()
        };
        numbered(numbers) + &of
    });
    if topics.is_empty() {
        "no partition".to_string()
    } else {
        listed(in_words)
    }
}

/// The partitions that a member was assigned with the newer protocol; `None` if nothing has changed.
fn assigned_by_heartbeat(logged: &Logged) -> Option<String> {
    let topics = logged.assigned_by_heartbeat()?;
    if topics.is_empty() {
        return Some("no partition".to_string());
    }
    Some(listed(topics.iter().map(|(_, numbers)| numbered(numbers))))
}

fn numbered(partitions: &[i32]) -> String {
    match partitions {
        [one] => format!("partition {one}"),
        several => format!("partitions {several:?}"),
    }
}

fn committed_so_far(logged: &Logged) -> String {
    listed(
        logged
            .committed_so_far()
            .map(|(_, partition, offset)| match offset {
                Some(offset) => format!("p{partition} at {offset}"),
                None => format!("p{partition} none"),
            }),
    )
}

/// Where a fetch begins in each partition; `None` if it names no partition.
fn fetched(logged: &Logged) -> Option<String> {
    let fetched = logged
        .fetched()
        .map(|one| format!("p{} from {}", one.partition, one.offset));
    Some(listed(fetched)).filter(|words| !words.is_empty())
}

fn offsets(logged: &Logged) -> String {
    let committed = logged.committed();
    listed(committed.map(|one| format!("p{} at {}", one.partition, one.offset)))
}

fn produced(logged: &Logged) -> String {
    let acks = match logged.acks() {
        Some(-1) => "all".to_string(),
        Some(acks) => acks.to_string(),
        None => "?".to_string(),
    };
    let within = match logged.transactional_id() {
        Some(_) => " in its transaction",
        None => "",
    };
    let answers = listed(logged.produced().map(|one| match one.error_code {
        0 => format!("p{} from {}", one.partition, one.offset),
        code => format!("p{} refused, {}", one.partition, error_name(code)),
    }));
    let answers = if answers.is_empty() {
        "no acknowledgment was requested"
    } else {
        &answers
    };
    format!("sent records{within} with acks={acks}: {answers}")
}

fn listed(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::history::logged::tests::{commit, entry, fetch};

    fn said(kind: &str, request: &Value, response: &Value) -> String {
        sentence(&entry(kind, request, response)).unwrap_or_default()
    }

    #[test]
    fn says_what_a_consumer_did() {
        assert_eq!(
            sentence(&fetch()).unwrap(),
            "fetched p0 from 37, p2 from 29"
        );
        assert_eq!(
            sentence(&commit()).unwrap(),
            "tried to commit p0 at 5, p1 at 7: refused, UnknownMemberId (Broker: Unknown member)"
        );
        let join = json!({ "groupId": "group", "sessionTimeoutMs": 6000 });
        assert_eq!(
            said("JOIN_GROUP", &join, &json!({ "errorCode": 0 })),
            "joined group, session timeout 6 s, after waiting 1.5 s"
        );
        let offset =
            |partition, offset| json!({ "partitionIndex": partition, "committedOffset": offset });
        let partitions = [offset(0, 37), offset(1, -1)];
        let offsets = json!({ "groups": [{ "topics": [{ "name": "clickstream", "partitions": partitions }] }] });
        assert_eq!(
            said("OFFSET_FETCH", &json!({}), &offsets),
            "asked for the committed offsets: p0 at 37, p1 none"
        );
    }

    #[test]
    fn says_what_a_producer_did() {
        let answer = |code| json!({ "index": 1, "baseOffset": 22, "errorCode": code });
        let answers = |code| json!({ "responses": [{ "name": "purchases", "partitionResponses": [answer(code)] }] });
        let request = json!({ "acks": -1, "transactionalId": null });
        assert_eq!(
            said("PRODUCE", &request, &answers(0)),
            "sent records with acks=all: p1 from 22"
        );
        assert_eq!(
            said("PRODUCE", &json!({ "acks": 0 }), &json!({})),
            "sent records with acks=0: no acknowledgment was requested"
        );
        let commit = json!({ "transactionalId": "id", "committed": true });
        assert_eq!(
            said("END_TXN", &commit, &json!({})),
            "committed its transaction"
        );
        assert_eq!(said("INIT_PRODUCER_ID", &request, &json!({})), "");
    }
}
