//! `cargo test`: every check of every task, on the programs of this workspace.

use std::process::ExitCode;
use std::sync::OnceLock;

use broker::wait;
use judge::{Judged, Pool, Submission, TASKS, Task, judge, timeline};
use libtest_mimic::{Arguments, Failed, Trial};

/// What a task's checks came to; judged once, for all its tests.
static JUDGED: [OnceLock<Vec<Judged>>; TASKS.len()] = [const { OnceLock::new() }; TASKS.len()];

static POOL: OnceLock<Pool> = OnceLock::new();

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    // Ctrl-C ends every wait, so that Kafka is stopped in good order.
    if let Err(error) = ctrlc::set_handler(wait::interrupt) {
        println!("Ctrl-C cannot be handled: {error}");
        return ExitCode::FAILURE;
    }
    let mut trials = Vec::new();
    for (at, task) in TASKS.iter().enumerate() {
        for check in task.checks {
            trials.push(Trial::test(check.id, move || verdict(at, task, check.id)));
        }
    }
    let code = libtest_mimic::run(&arguments, trials).exit_code();
    if let Some(pool) = POOL.get() {
        pool.clear();
    }
    code
}

fn verdict(at: usize, task: &Task, id: &str) -> Result<(), Failed> {
    let judged = JUDGED[at].get_or_init(|| {
        let pool = POOL.get_or_init(Pool::default);
        match Submission::build_own(task.programs) {
            Ok(own) => judge(pool, &own, &[task], |_| {}),
            Err(error) => {
                println!("{error:#}");
                Vec::new()
            }
        }
    });
    let row = judged.iter().find(|row| row.id == id);
    let row = row.ok_or("it could not be judged; the reason is above")?;
    if row.passed() {
        return Ok(());
    }
    Err(format!(
        "{} (task {}, {} points)\nexpected: {}\nsaw: {}\nhint: {}\n{}",
        row.title,
        row.task,
        row.max_points,
        row.expected,
        row.saw,
        row.hint,
        timeline(&row.seen)
    )
    .into())
}
