//! The tasks, judged by what programs do and by what Kafka holds; and the tools for that.
//!
//! - [`programs`] builds the lab programs of this workspace and says where they are.
//! - [`Program`] is one run of a program: started, stopped, killed; its lines with their times.
//! - [`Kafka`] is a cluster seen from outside: records, committed offsets, members.
//! - [`Stage`] is where a task takes place: a cluster, programs, and what was found out.
//! - [`TASKS`] are the tasks of the lecture. Each one causes what it is about, and compares it with the slides.

mod billing_checks;
mod billing_desk;
mod billing_kills;
mod billing_runs;
mod brokers;
mod charges;
mod check;
mod consumer_checks;
mod consumer_output;
mod consumer_runs;
mod copies;
mod crash_checks;
mod database;
mod effect;
mod end_offsets;
mod events;
mod exactly_once_checks;
mod exactly_once_runs;
mod extractor;
mod fetches;
mod gate;
mod group;
mod group_description;
mod group_progress;
mod history;
pub mod holes;
mod judge;
mod kafka;
mod lane;
mod leaving;
mod lines;
mod live_group;
mod member_names;
mod partitioner;
mod payments;
mod pool;
mod producer_checks;
mod program;
pub mod programs;
mod rebalances;
mod report;
mod scaling_checks;
mod sentence;
mod slice;
mod stage;
mod submission;
mod table;
mod task1_producer;
mod task2_consumer;
mod task2_crash;
mod task3_scaling;
mod task4_crash;
mod task5_billing;
mod task6_exactly_once;
mod tasks;
mod timeline;

pub use billing_kills::survived_kills;
pub use check::{Check, Verdict};
pub use effect::Effect;
pub use events::random_events;
pub use group::{Grid, GroupOffsets, GroupTable, offsets, topics_of};
pub use group_description::{
    GroupDescription, GroupMember, GroupProtocol, GroupState, TopicPartition,
};
pub use history::{Moment, What};
pub use judge::judge;
pub use kafka::{Isolation, Kafka, Member, Payload, Record};
pub use lane::Lane;
pub use lines::position;
pub use live_group::{GroupEvent, LiveGroup};
pub use partitioner::Partitioner;
pub use payments::{as_payloads, malformed_payments, random_payments};
pub use pool::Pool;
pub use program::{Deed, Line, Program};
pub use report::{Judged, Outcome, Report};
pub use stage::{Finding, Stage};
pub use submission::{Missing, Submission};
pub use table::table;
pub use task2_crash::crash_in_a_batch;
pub use tasks::{TASKS, Task, all_checks};
pub use timeline::timeline;
