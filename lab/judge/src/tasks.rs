//! The tasks of the lecture, in one table: what each is about, its programs, and the checks that judge them.

use anyhow::Result;

use crate::verdict::check::Check;
use crate::{
    Stage, task1_producer, task2_consumer, task3_scaling, task4_crash, task5_billing,
    task6_exactly_once,
};

/// One task.
#[derive(Debug)]
pub struct Task {
    pub number: u32,
    pub title: &'static str,
    /// The programs that it runs.
    pub programs: &'static [&'static str],
    /// Causes what the task is about, tells it, and notes the findings.
    pub demo: fn(&mut Stage) -> Result<()>,
    /// What a submission is judged by.
    pub checks: &'static [Check],
    /// Whether its points are a bonus, beyond the 100 that the other tasks make.
    pub bonus: bool,
    /// How long that takes when all is right. The longest is begun first.
    pub seconds: u32,
    /// From the first thing to think of to nearly the answer.
    pub hints: &'static str,
}

/// All tasks, in their order.
pub const TASKS: &[Task] = &[
    Task {
        number: 1,
        title: "Producer: 100 events, three partitions",
        programs: &["producer"],
        demo: task1_producer::demo,
        checks: task1_producer::CHECKS,
        bonus: false,
        seconds: 6,
        hints: include_str!("../hints/task1-producer.md"),
    },
    Task {
        number: 2,
        title: "Consumer: batches, commits, stop and resume",
        programs: &["consumer"],
        demo: task2_consumer::demo,
        checks: task2_consumer::CHECKS,
        bonus: false,
        seconds: 12,
        hints: include_str!("../hints/task2-consumer.md"),
    },
    Task {
        number: 3,
        title: "Scaling: who owns which partition",
        programs: &["consumer_group_a", "consumer_group_b"],
        demo: task3_scaling::demo,
        checks: task3_scaling::CHECKS,
        bonus: false,
        seconds: 16,
        hints: include_str!("../hints/task3-scaling.md"),
    },
    Task {
        number: 4,
        title: "Crash: at least once",
        programs: &["consumer_crash"],
        demo: task4_crash::demo,
        checks: task4_crash::CHECKS,
        bonus: false,
        seconds: 3,
        hints: include_str!("../hints/task4-crash.md"),
    },
    Task {
        number: 5,
        title: "Billing: charged once",
        programs: &["billing"],
        demo: task5_billing::demo,
        checks: task5_billing::CHECKS,
        bonus: true,
        seconds: 35,
        hints: include_str!("../hints/task5-billing.md"),
    },
    Task {
        number: 6,
        title: "Exactly once: purchases in transactions",
        programs: &["exactly_once"],
        demo: task6_exactly_once::demo,
        checks: task6_exactly_once::CHECKS,
        bonus: true,
        seconds: 17,
        hints: include_str!("../hints/task6-exactly-once.md"),
    },
];

/// Every check, by task. The tasks that are not bonus make 100 points.
pub fn all_checks() -> impl Iterator<Item = &'static Check> {
    TASKS.iter().flat_map(|task| task.checks)
}
