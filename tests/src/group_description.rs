//! A consumer group as its coordinator describes it, and all that it has committed.
//!
//! librdkafka asks for that (`DescribeConsumerGroups`, `ListConsumerGroupOffsets`), but rdkafka offers no call: here its C
//! functions are called. They know groups of either protocol; the older calls see no members of one by KIP-848.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString, c_char};
use std::fmt;
use std::ptr::NonNull;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rdkafka::bindings as c;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;

/// librdkafka answers within the limit, if only to say that the broker has not; so much later it has not kept its word.
const GRACE: Duration = Duration::from_secs(5);

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

/// A member of it.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupMember {
    /// The client's `client.id`; `rdkafka` where it sets none.
    pub client_id: String,
    /// The id that the group coordinator gave it.
    pub member_id: String,
    /// What it owns, by the coordinator's account. While a classic group rebalances, Kafka 4 goes on naming what it owned
    /// before.
    pub partitions: BTreeSet<TopicPartition>,
}

/// What a group is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupState {
    /// Classic: waits until all members have joined again.
    PreparingRebalance,
    /// Classic: all have joined; the leader of the group decides who gets what.
    CompletingRebalance,
    /// KIP-848: members give up and take up partitions. (librdkafka 2.12 has no name for its states `Assigning` and
    /// `Reconciling`.)
    Reconciling,
    Stable,
    /// There are commits, but no members.
    Empty,
}

/// By which protocol the members find together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupProtocol {
    /// The clients share the partitions out among themselves.
    Classic,
    /// KIP-848, `group.protocol=consumer`: the coordinator does.
    Consumer,
}

impl GroupState {
    /// Is it in the middle of a rebalance?
    pub fn is_rebalancing(self) -> bool {
        !matches!(self, Self::Stable | Self::Empty)
    }
}

/// As Kafka's tools name it.
impl fmt::Display for GroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What a group is; `None` where there is none of that name.
///
/// # Errors
/// When the coordinator does not answer within `limit`, or refuses.
pub fn describe(
    client: &Client<impl ClientContext>,
    group: &str,
    limit: Duration,
) -> Result<Option<GroupDescription>> {
    let name = CString::new(group)?;
    let kind = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
    let answer = ask(client, kind, limit, |options, queue| {
        let mut names = [name.as_ptr()];
        // SAFETY: client, options and queue are alive, and the names are copied.
        unsafe {
            c::rd_kafka_DescribeConsumerGroups(
                client.native_ptr(),
                names.as_mut_ptr(),
                names.len(),
                options,
                queue,
            );
        }
    })?;
    // SAFETY: the event is an answer of this kind, for one group; what is read of it belongs to it, and it outlives us.
    unsafe {
        let mut count = 0;
        let result = c::rd_kafka_event_DescribeConsumerGroups_result(answer.0.as_ptr());
        let groups = c::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        if count == 0 {
            bail!("Kafka does not describe group {group}");
        }
        let described = *groups;
        match code(c::rd_kafka_ConsumerGroupDescription_error(described)) {
            None => {}
            Some(RDKafkaErrorCode::GroupIdNotFound) => return Ok(None),
            Some(code) => bail!("group {group}: {code}"),
        }
        let Some(state) = state(c::rd_kafka_ConsumerGroupDescription_state(described)) else {
            return Ok(None);
        };
        let members = 0..c::rd_kafka_ConsumerGroupDescription_member_count(described);
        Ok(Some(GroupDescription {
            state,
            protocol: match c::rd_kafka_ConsumerGroupDescription_type(described) {
                c::rd_kafka_consumer_group_type_t::RD_KAFKA_CONSUMER_GROUP_TYPE_CONSUMER => {
                    GroupProtocol::Consumer
                }
                _ => GroupProtocol::Classic,
            },
            members: members
                .map(|number| {
                    member(c::rd_kafka_ConsumerGroupDescription_member(
                        described, number,
                    ))
                })
                .collect(),
        }))
    }
}

/// The committed offsets of a group, in all topics. A partition without a commit is not among them.
///
/// # Errors
/// When the coordinator does not answer within `limit`, or refuses.
pub fn commits(
    client: &Client<impl ClientContext>,
    group: &str,
    limit: Duration,
) -> Result<BTreeMap<TopicPartition, i64>> {
    let name = CString::new(group)?;
    let kind = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS;
    let answer = ask(client, kind, limit, |options, queue| {
        // SAFETY: client, options and queue are alive; the question is copied, and destroyed once. No partitions means all.
        unsafe {
            let mut question =
                c::rd_kafka_ListConsumerGroupOffsets_new(name.as_ptr(), std::ptr::null());
            c::rd_kafka_ListConsumerGroupOffsets(
                client.native_ptr(),
                &raw mut question,
                1,
                options,
                queue,
            );
            c::rd_kafka_ListConsumerGroupOffsets_destroy(question);
        }
    })?;
    // SAFETY: as in `describe`.
    unsafe {
        let mut count = 0;
        let result = c::rd_kafka_event_ListConsumerGroupOffsets_result(answer.0.as_ptr());
        let groups = c::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &raw mut count);
        if count == 0 {
            bail!("Kafka does not say what group {group} has committed");
        }
        match code(c::rd_kafka_group_result_error(*groups)) {
            None => {}
            Some(RDKafkaErrorCode::GroupIdNotFound) => return Ok(BTreeMap::new()),
            Some(code) => bail!("group {group}: {code}"),
        }
        let commits = partitions(c::rd_kafka_group_result_partitions(*groups));
        Ok(commits
            .into_iter()
            .filter(|(_, offset)| *offset >= 0)
            .collect())
    }
}

/// What librdkafka made and we must destroy: the pointer, and how.
struct Owned<T>(NonNull<T>, unsafe extern "C" fn(*mut T));

impl<T> Owned<T> {
    fn new(pointer: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Result<Self> {
        Ok(Self(
            NonNull::new(pointer).context("librdkafka gave nothing")?,
            destroy,
        ))
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: it is ours, and destroyed only here.
        unsafe { self.1(self.0.as_ptr()) }
    }
}

/// Sends a question and waits for the answer.
fn ask(
    client: &Client<impl ClientContext>,
    kind: c::rd_kafka_admin_op_t,
    limit: Duration,
    send: impl FnOnce(*const c::rd_kafka_AdminOptions_t, *mut c::rd_kafka_queue_t),
) -> Result<Owned<c::rd_kafka_event_t>> {
    let milliseconds = |time: Duration| i32::try_from(time.as_millis());
    // SAFETY: the client is alive; options, queue and event are each destroyed once, by their owner.
    unsafe {
        let client = client.native_ptr();
        let options = Owned::new(
            c::rd_kafka_AdminOptions_new(client, kind),
            c::rd_kafka_AdminOptions_destroy,
        )?;
        c::rd_kafka_AdminOptions_set_request_timeout(
            options.0.as_ptr(),
            milliseconds(limit)?,
            std::ptr::null_mut(),
            0,
        );
        let queue = Owned::new(c::rd_kafka_queue_new(client), c::rd_kafka_queue_destroy)?;
        send(options.0.as_ptr(), queue.0.as_ptr());
        let answer = c::rd_kafka_queue_poll(queue.0.as_ptr(), milliseconds(limit + GRACE)?);
        let answer = Owned::new(answer, c::rd_kafka_event_destroy)?;
        let error = c::rd_kafka_event_error(answer.0.as_ptr());
        if error != c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            bail!(RDKafkaErrorCode::from(error));
        }
        Ok(answer)
    }
}

unsafe fn code(error: *const c::rd_kafka_error_t) -> Option<RDKafkaErrorCode> {
    // SAFETY: an error, or null.
    (!error.is_null()).then(|| unsafe { c::rd_kafka_error_code(error) }.into())
}

/// `None` for a group that is dead. That is what older brokers call one that is not there.
fn state(state: c::rd_kafka_consumer_group_state_t) -> Option<GroupState> {
    use c::rd_kafka_consumer_group_state_t as s;
    Some(match state {
        s::RD_KAFKA_CONSUMER_GROUP_STATE_PREPARING_REBALANCE => GroupState::PreparingRebalance,
        s::RD_KAFKA_CONSUMER_GROUP_STATE_COMPLETING_REBALANCE => GroupState::CompletingRebalance,
        s::RD_KAFKA_CONSUMER_GROUP_STATE_STABLE => GroupState::Stable,
        s::RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY => GroupState::Empty,
        s::RD_KAFKA_CONSUMER_GROUP_STATE_DEAD => return None,
        _ => GroupState::Reconciling,
    })
}

unsafe fn member(member: *const c::rd_kafka_MemberDescription_t) -> GroupMember {
    // SAFETY: the caller's event, which the member belongs to, is alive; an assignment may be null.
    unsafe {
        let assignment = c::rd_kafka_MemberDescription_assignment(member);
        let owned = if assignment.is_null() {
            Vec::new()
        } else {
            partitions(c::rd_kafka_MemberAssignment_partitions(assignment))
        };
        GroupMember {
            client_id: text(c::rd_kafka_MemberDescription_client_id(member)),
            member_id: text(c::rd_kafka_MemberDescription_consumer_id(member)),
            partitions: owned.into_iter().map(|(partition, _)| partition).collect(),
        }
    }
}

/// The partitions of a list, each with its offset.
unsafe fn partitions(
    list: *const c::rd_kafka_topic_partition_list_t,
) -> Vec<(TopicPartition, i64)> {
    // SAFETY: the list, if it is one, is alive and as long as it says.
    let elements = unsafe {
        let Some(list) = list.as_ref().filter(|list| list.cnt > 0) else {
            return Vec::new();
        };
        std::slice::from_raw_parts(list.elems, usize::try_from(list.cnt).unwrap_or_default())
    };
    elements
        .iter()
        .map(|element| {
            let partition = TopicPartition {
                // SAFETY: every element names its topic.
                topic: unsafe { text(element.topic) },
                partition: element.partition,
            };
            (partition, element.offset)
        })
        .collect()
}

unsafe fn text(from: *const c_char) -> String {
    if from.is_null() {
        return String::new();
    }
    // SAFETY: librdkafka ends its texts with a zero.
    unsafe { CStr::from_ptr(from) }
        .to_string_lossy()
        .into_owned()
}
