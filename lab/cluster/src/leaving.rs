//! Leaves a group in another member's name. Client libraries offer no call for this.

use anyhow::Result;
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, GroupId, LeaveGroupRequest};
use kafka_protocol::protocol::StrBytes;

use crate::wire::{ANSWER_LIMIT, Brokers};

/// Makes a member of a classic group leave: sends `LeaveGroup`. Does not check whether the coordinator accepts it.
///
/// # Errors
/// If the coordinator does not answer.
pub fn leave_group(brokers: &mut Brokers, group: &str, member: &str) -> Result<()> {
    const VERSION: i16 = 1;
    let leave = LeaveGroupRequest::default()
        .with_group_id(GroupId(StrBytes::from_string(group.to_string())))
        .with_member_id(StrBytes::from_string(member.to_string()));
    brokers
        .ask_coordinator(group, &leave, VERSION, ANSWER_LIMIT, |answer| {
            answer.error_code
        })
        .map(drop)
}

/// Makes a member of a group of the protocol of KIP-848 leave: sends a heartbeat with the epoch that means leaving. Does not
/// check whether the coordinator accepts it.
///
/// # Errors
/// If the coordinator does not answer.
pub fn leave_consumer_group(brokers: &mut Brokers, group: &str, member: &str) -> Result<()> {
    const VERSION: i16 = 0;
    const LEAVE_EPOCH: i32 = -1;
    let leave = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(GroupId(StrBytes::from_string(group.to_string())))
        .with_member_id(StrBytes::from_string(member.to_string()))
        .with_member_epoch(LEAVE_EPOCH);
    brokers
        .ask_coordinator(group, &leave, VERSION, ANSWER_LIMIT, |answer| {
            answer.error_code
        })
        .map(drop)
}
