//! Judging lab programs by what they do, and by what Kafka holds afterwards.

mod bench;
mod client_timers;
mod contract;
mod data;
mod history;
mod judge;
mod points;
mod profile;
pub mod programs;
mod stage;
mod task1_producer;
mod task2_consumer;
mod task3_scaling;
mod task4_crash;
mod task5_billing;
mod task6_exactly_once;
mod tasks;
mod verdict;

pub use ::broker::spent::{Spent, Waiting};
pub use bench::lane::Lane;
pub use bench::pool::{Pool, SIDE_BY_SIDE, most_brokers, most_brokers_here};
pub use data::events::random_events;
pub use data::payments::{as_payloads, malformed_payments, random_payments};
pub use history::effect::Effect;
pub use history::logged::Logged;
pub use history::recorded::json_lines;
pub use history::timeline::timeline;
pub use history::{Happening, Moment, reconstruction};
pub use judge::{judge, judge_and_profile, judge_and_record};
pub use points::{Points, best_first, is_bonus};
pub use profile::Profile;
pub use programs::holes;
pub use programs::output::Line;
pub use programs::run::Program;
pub use programs::submission::Submission;
pub use programs::transcript::Deed;
pub use stage::{Finding, Stage};
pub use task5_billing::{in_writes, on_the_wire};
pub use tasks::{TASKS, Task, Wing, all_checks};
pub use verdict::cause::{Cause, What};
pub use verdict::check::{Check, Verdict};
pub use verdict::report::{Judged, Outcome, Report, cause_of, counted, told_once};

/// If this process was started to confine a program, or to read what a program has left, does that and does not return. An
/// executable that judges must call this at the beginning of `main`.
pub fn help_if_asked() {
    confine::supervise_if_asked();
    cluster::read_records_if_asked();
    task5_billing::read_database_if_asked();
}
