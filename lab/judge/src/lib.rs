//! Judging lab programs by what they do, and by what Kafka holds afterwards.

mod bench;
mod client_timers;
mod contract;
mod data;
mod history;
mod judge;
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

pub use bench::lane::Lane;
pub use bench::pool::Pool;
pub use data::events::random_events;
pub use data::payments::{as_payloads, malformed_payments, random_payments};
pub use history::effect::Effect;
pub use history::logged::Logged;
pub use history::recorded::json_lines;
pub use history::timeline::timeline;
pub use history::{Happening, Moment, reconstruction};
pub use judge::{judge, judge_and_record};
pub use programs::holes;
pub use programs::output::Line;
pub use programs::run::Program;
pub use programs::submission::{Missing, Submission};
pub use programs::transcript::Deed;
pub use stage::{Finding, Stage};
pub use task5_billing::survived_kills;
pub use tasks::{TASKS, Task, all_checks};
pub use verdict::check::{Check, Verdict};
pub use verdict::report::{Judged, Outcome, Report};
