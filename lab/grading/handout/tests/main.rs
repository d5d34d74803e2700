//! `cargo test`: judges the programs of this workspace. Each check of each task is a test.

use std::process::ExitCode;
use std::sync::OnceLock;

use broker::wait;
use judge::{Judged, Outcome, Pool, Submission, TASKS, Task, judge, timeline};
use libtest_mimic::{Arguments, Failed, Trial};

/// The verdicts of each task. A task is judged once, for all its tests.
static JUDGED: [OnceLock<Vec<Judged>>; TASKS.len()] = [const { OnceLock::new() }; TASKS.len()];

static POOL: OnceLock<Pool> = OnceLock::new();

fn main() -> ExitCode {
    judge::help_if_asked();
    let arguments = Arguments::from_args();
    // Ctrl-C ends whatever a test is waiting for, and then Kafka is stopped.
    if let Err(error) = ctrlc::set_handler(wait::interrupt) {
        println!("Error: Ctrl-C cannot be handled: {error}");
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

/// The verdict of one check, with the task at this place in the table.
fn verdict(at: usize, task: &'static Task, id: &str) -> Result<(), Failed> {
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
    let row = row.ok_or("this check could not be judged; the reason is above")?;
    match row.outcome {
        Outcome::Passed => Ok(()),
        Outcome::Failed => Err(explanation(row).into()),
        Outcome::NotJudged => {
            Err(format!("not judged, which is not your fault: {}", row.saw).into())
        }
    }
}

/// What a failed check expected and saw, and what happened.
fn explanation(row: &Judged) -> String {
    let mut text = format!(
        "{} (task {}, {} points)\nexpected: {}\nsaw: {}\nhint: {}\n",
        row.title, row.task, row.max_points, row.expected, row.saw, row.hint,
    );
    if !row.seen.is_empty() {
        text += &format!("\nWhat happened:\n{}", timeline(&row.seen));
    }
    text
}
