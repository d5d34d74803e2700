//! The tasks of the lecture, in one table.

use anyhow::Result;

use crate::{Stage, task1_producer, task2_consumer, task3_scaling, task4_crash};

/// One task.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    pub number: u32,
    pub title: &'static str,
    /// The programs that it runs.
    pub programs: &'static [&'static str],
    /// Causes what the task is about, tells it, and notes the findings.
    pub run: fn(&mut Stage) -> Result<()>,
}

/// All tasks, in their order.
pub const TASKS: &[Task] = &[
    Task {
        number: 1,
        title: "Producer: 100 events, three partitions",
        programs: &["producer"],
        run: task1_producer::run,
    },
    Task {
        number: 2,
        title: "Consumer: batches, commits, stop and resume",
        programs: &["consumer"],
        run: task2_consumer::run,
    },
    Task {
        number: 3,
        title: "Scaling: who owns which partition",
        programs: &["consumer_group_a", "consumer_group_b"],
        run: task3_scaling::run,
    },
    Task {
        number: 4,
        title: "Crash: at least once",
        programs: &["consumer_crash"],
        run: task4_crash::run,
    },
];
