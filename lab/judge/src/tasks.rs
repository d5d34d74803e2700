//! All tasks of the lecture in one table: the topic of each task, its programs, and the checks that judge them.

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
    /// The programs that a student writes or runs in this task.
    pub programs: &'static [&'static str],
    /// Runs the programs, explains what happens, and notes a finding for each claim of the slides.
    pub demo: fn(&mut Stage) -> Result<()>,
    /// The checks that judge a submission.
    pub checks: &'static [Check],
    /// Whether its points are a bonus on top of the 100 points of the regular tasks.
    pub bonus: bool,
    /// How long the checks take if all of them pass, in seconds, without those that are apart. What takes longest starts first.
    pub seconds: u32,
    /// Those of its checks that are judged on a lane of their own at the same time, because they take long and look at hardly
    /// anything that the others look at.
    pub apart: Apart,
    /// The hints, one paragraph each. They lead from a first thought to nearly the whole answer.
    pub hints: &'static str,
}

/// Checks that are judged apart from the others of their task.
#[derive(Debug)]
pub struct Apart {
    /// The ids of the checks.
    pub checks: &'static [&'static str],
    /// How long they take if all of them pass, in seconds.
    pub seconds: u32,
}

const NOTHING_APART: Apart = Apart {
    checks: &[],
    seconds: 0,
};

/// All tasks, in order.
pub const TASKS: &[Task] = &[
    Task {
        number: 1,
        title: "Producer: 100 events, three partitions",
        programs: &["producer"],
        demo: task1_producer::demo,
        checks: task1_producer::CHECKS,
        bonus: false,
        seconds: 5,
        apart: NOTHING_APART,
        hints: include_str!("../hints/task1-producer.md"),
    },
    Task {
        number: 2,
        title: "Consumer: batches, commits, stop and resume",
        programs: &["consumer"],
        demo: task2_consumer::demo,
        checks: task2_consumer::CHECKS,
        bonus: false,
        seconds: 14,
        apart: NOTHING_APART,
        hints: include_str!("../hints/task2-consumer.md"),
    },
    Task {
        number: 3,
        title: "Scaling: who owns which partition",
        programs: &["consumer_group_a", "consumer_group_b"],
        demo: task3_scaling::demo,
        checks: task3_scaling::CHECKS,
        bonus: false,
        seconds: 8,
        apart: NOTHING_APART,
        hints: include_str!("../hints/task3-scaling.md"),
    },
    Task {
        number: 4,
        title: "Crash: at least once",
        programs: &["consumer_crash"],
        demo: task4_crash::demo,
        checks: task4_crash::CHECKS,
        bonus: false,
        seconds: 2,
        apart: NOTHING_APART,
        hints: include_str!("../hints/task4-crash.md"),
    },
    Task {
        number: 5,
        title: "Billing: charged once",
        programs: &["billing"],
        demo: task5_billing::demo,
        checks: task5_billing::CHECKS,
        bonus: true,
        seconds: 14,
        apart: Apart {
            checks: &[
                "billing.dead_letter_before_offset",
                "billing.survives_kills",
            ],
            seconds: 22,
        },
        hints: include_str!("../hints/task5-billing.md"),
    },
    Task {
        number: 6,
        title: "Exactly once: purchases in transactions",
        programs: &["exactly_once"],
        demo: task6_exactly_once::demo,
        checks: task6_exactly_once::CHECKS,
        bonus: true,
        seconds: 12,
        apart: Apart {
            checks: &[
                "exactly_once.killed_in_transaction",
                "exactly_once.second_fences_first",
            ],
            seconds: 23,
        },
        hints: include_str!("../hints/task6-exactly-once.md"),
    },
];

impl Task {
    /// Whether this check is judged apart from the others.
    pub fn is_apart(&self, check: &Check) -> bool {
        self.apart.checks.contains(&check.id)
    }
}

/// Returns the checks of all tasks, in order. The checks of the regular tasks add up to 100 points.
pub fn all_checks() -> impl Iterator<Item = &'static Check> {
    TASKS.iter().flat_map(|task| task.checks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_apart_is_a_check_of_the_task() {
        for task in TASKS {
            for id in task.apart.checks {
                assert!(
                    task.checks.iter().any(|check| check.id == *id),
                    "task {} has no check {id}",
                    task.number
                );
            }
        }
    }
}
