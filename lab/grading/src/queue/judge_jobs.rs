//! What a grader process does: it judges what its worker writes to its standard input, on brokers of its own.

use std::io::{BufReader, Write, stdin, stdout};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use anyhow::{Result, ensure};
use broker::wait;
use parking_lot::Mutex;

use crate::class::judged;
use crate::grader::Grader;
use crate::intake::Intake;
use crate::judgment::Judgment;
use crate::queue::connection::Connection;
use crate::queue::grader_process::Task;
use crate::queue::message::{Answer, Note, What};
use crate::queue::store::Store;
use crate::uniform_report::not_judged;

/// Judges submissions, on up to `brokers` brokers at the same time, until standard input ends. A worker that ends, even by `kill -9`, closes it. Then what is being judged is
/// given up, and that is noted, so that the submission is not blamed for the worker's end.
///
/// # Errors
/// When the note cannot be stored.
pub fn judge_jobs(connection: &Connection, brokers: usize) -> Result<()> {
    let current: Arc<Mutex<Option<Task>>> = Arc::default();
    let (sender, tasks) = channel();
    let ended = thread::spawn({
        let (current, connection) = (Arc::clone(&current), connection.clone());
        move || {
            let mut input = BufReader::new(stdin());
            while let Some(task) = Task::read(&mut input) {
                *current.lock() = Some(task.0.clone());
                if sender.send(task).is_err() {
                    break;
                }
            }
            // Ends what the main thread is waiting for.
            wait::interrupt();
            give_up(&connection, current.lock().take())
        }
    });
    let grader = Grader::with_brokers(brokers);
    for (task, packed) in tasks {
        let Ok(answer) = answer(&grader, &task, &packed) else {
            // It was interrupted.
            break;
        };
        if current.lock().take().is_none() {
            break;
        }
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        let mut out = stdout().lock();
        if out.write_all(&line).and_then(|()| out.flush()).is_err() {
            give_up(connection, Some(task))?;
            break;
        }
    }
    // The worker holds the other end of standard input, and may wait for its next submission there.
    match ended.join() {
        Ok(gave_up) => gave_up,
        Err(_) => Ok(()),
    }
}

/// Notes that a task was given up, if there is one.
fn give_up(connection: &Connection, task: Option<Task>) -> Result<()> {
    let Some(Task { job, start, .. }) = task else {
        return Ok(());
    };
    let who = start.clone();
    let what = What::Released { start };
    Store::open(connection, "lab-grader")?.note(&Note { job, who, what })
}

/// Judges a submission, and draws its page.
fn answer(grader: &Grader, task: &Task, packed: &[u8]) -> Result<Answer> {
    let name = &task.job.submission;
    let unpacked = Intake::unpacked(packed).and_then(|intake| {
        ensure!(
            intake.digest() == task.job.digest,
            "the submission has changed on its way through Kafka"
        );
        Ok(intake)
    });
    let judgment = match &unpacked {
        Ok(intake) => judged(
            &|name, intake| Ok(grader.grade(name, intake)?.into()),
            name,
            intake,
        )?,
        Err(error) => Judgment::from(not_judged(name, &format!("{error:#}"))),
    };
    let page = judgment.review(&unpacked.unwrap_or_default()).ok();
    let report = judgment.report;
    Ok(Answer { report, page })
}
