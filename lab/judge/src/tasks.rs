//! All tasks of the lecture in one table: the topic of each task, its programs, and the checks that judge them.

use anyhow::Result;

use crate::verdict::check::Check;
use crate::verdict::parts::Part;
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
    /// How long the checks take if all of them pass, in seconds, without what is apart. What takes longest starts first.
    pub seconds: u32,
    /// What is judged on other lanes at the same time, because it takes long and looks at hardly anything that the others look
    /// at.
    pub apart: &'static [Apart],
    /// The hints, one paragraph each. They lead from a first thought to nearly the whole answer.
    pub hints: &'static str,
}

/// Parts of checks that are judged on a lane of their own, apart from the others of their task.
#[derive(Debug)]
pub struct Apart {
    /// The id of each check, and the number of the part, counted from 0.
    pub parts: &'static [(&'static str, usize)],
    /// How long they take if all of them pass, in seconds.
    pub seconds: u32,
}

/// Parts of checks of a task that are judged on one lane, one after the other.
#[derive(Clone, Debug)]
pub struct Wing {
    pub task: &'static Task,
    pub parts: Vec<Part>,
    /// How long they take if all of them pass, in seconds.
    pub seconds: u32,
}

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
        apart: &[],
        hints: include_str!("../hints/task1-producer.md"),
    },
    Task {
        number: 2,
        title: "Consumer: batches, commits, stop and resume",
        programs: &["consumer"],
        demo: task2_consumer::demo,
        checks: task2_consumer::CHECKS,
        bonus: false,
        seconds: 8,
        apart: &[Apart {
            parts: &[
                ("consumer.commits_after_processing", 0),
                ("consumer.redelivered_after_kill", 0),
            ],
            seconds: 7,
        }],
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
        apart: &[],
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
        apart: &[],
        hints: include_str!("../hints/task4-crash.md"),
    },
    Task {
        number: 5,
        title: "Billing: charged once",
        programs: &["billing"],
        demo: task5_billing::demo,
        checks: task5_billing::CHECKS,
        bonus: true,
        seconds: 12,
        apart: &[
            Apart {
                parts: &[
                    ("billing.dead_letter_before_offset", 0),
                    ("billing.survives_kills", 1),
                ],
                seconds: 10,
            },
            Apart {
                parts: &[
                    ("billing.dead_letter_before_offset", 1),
                    ("billing.survives_kills", 0),
                ],
                seconds: 11,
            },
        ],
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
        apart: &[
            Apart {
                parts: &[("exactly_once.killed_in_transaction", 1)],
                seconds: 13,
            },
            Apart {
                parts: &[
                    ("exactly_once.killed_in_transaction", 2),
                    ("exactly_once.second_fences_first", 0),
                ],
                seconds: 9,
            },
        ],
        hints: include_str!("../hints/task6-exactly-once.md"),
    },
];

impl Task {
    /// The wings of the task. The first one has what is not apart.
    pub fn wings(&'static self) -> impl Iterator<Item = Wing> {
        let all = self.checks.iter().flat_map(|check| {
            let numbers = 0..check.parts.len();
            numbers.map(move |number| Part { check, number })
        });
        let all: Vec<Part> = all.collect();
        let lanes = [(None, self.seconds)].into_iter();
        let lanes = lanes.chain(self.apart.iter().map(|apart| (Some(apart), apart.seconds)));
        lanes.map(move |(apart, seconds)| {
            let belongs = |part: &&Part| match apart {
                Some(apart) => apart.has(part),
                None => !self.apart.iter().any(|apart| apart.has(part)),
            };
            Wing {
                task: self,
                parts: all.iter().filter(belongs).copied().collect(),
                seconds,
            }
        })
    }
}

impl Apart {
    fn has(&self, part: &Part) -> bool {
        self.parts.contains(&(part.check.id, part.number))
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
    fn what_is_apart_is_a_part_of_a_check_of_the_task() {
        for task in TASKS {
            let all: usize = task.checks.iter().map(|check| check.parts.len()).sum();
            let in_wings: usize = task.wings().map(|wing| wing.parts.len()).sum();
            assert_eq!(in_wings, all, "task {}", task.number);
            for apart in task.apart {
                let found = task.wings().flat_map(|wing| wing.parts);
                let found = found.filter(|part| apart.has(part)).count();
                assert_eq!(found, apart.parts.len(), "task {}", task.number);
            }
        }
    }
}
