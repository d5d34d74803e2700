//! A Kafka cluster, seen from outside: records, consumer groups, offsets and rebalances. Nothing here knows about tasks,
//! submissions or verdicts.

mod administration;
mod end_offsets;
mod fencing;
mod group_description;
mod isolation;
mod kafka;
mod leaving;
mod live_group;
mod member_names;
mod offset_table;
mod partitioner;
mod printable;
mod rate;
mod rebalances;
mod table;
mod wire;

pub use group_description::{
    GroupDescription, GroupMember, GroupProtocol, GroupState, TopicPartition, assignment,
    subscription,
};
pub use isolation::Isolation;
pub use kafka::{
    Changes, Kafka, MARKERS, Payload, Record, TopicMember, Unreadable, read_records_if_asked,
};
pub use live_group::{GroupEvent, LiveGroup};
pub use offset_table::{Grid, GroupOffsets, GroupTable, is_past, offsets, sum, topics_of};
pub use partitioner::Partitioner;
pub use printable::printable;
pub use table::table;
pub use wire::OBSERVER;
