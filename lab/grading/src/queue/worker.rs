//! A worker: a member of the graders' group. It polls, lets grader processes judge, stores results, and then commits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use broker::wait;
use cluster::printable;
use common::is_about_the_connection;
use judge::{Points, Report, most_brokers_here};
use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::{ClientContext, Message};

use crate::lab_digest::lab_digest;
use crate::queue::connection::Connection;
use crate::queue::grader_process::{GraderProcess, Said, Task};
use crate::queue::message::{Answer, Job, Note, What};
use crate::queue::notes::Notes;
use crate::queue::store::Store;
use crate::queue::topics::{LARGEST, SUBMISSIONS, TopicsGone, are_there, group};
use crate::queue::unfinished::Unfinished;
use crate::uniform_report::not_judged;

/// How long one poll takes if nothing comes. Answers of graders are looked at in between.
const POLL: Duration = Duration::from_millis(100);

/// How long the group waits for a silent worker before others get its partitions.
const SESSION_TIMEOUT_MS: &str = "15000";

/// A submission that has ended this many graders is not judged any more.
const MOST_ENDED: usize = 2;

/// How long the topics may be missing between two looks.
const TOPICS_PAUSE: Duration = Duration::from_secs(1);

/// Judges submissions from this cluster, `jobs` at a time, until Ctrl-C. Those that are too large for a message are in the folder
/// `shared`.
///
/// # Errors
/// When Kafka does not answer at first, or when it refuses something.
pub fn work(connection: &Connection, jobs: usize, shared: Option<&Path>) -> Result<()> {
    let name = name();
    loop {
        wait_for_topics(connection)?;
        match work_for(&name, connection, jobs, shared) {
            Err(error) if error.is::<TopicsGone>() && !wait::interrupted() => {
                println!("The topics are gone: this Kafka was emptied, or is another one now.");
            }
            ended => return ended,
        }
    }
}

fn wait_for_topics(connection: &Connection) -> Result<()> {
    let client: BaseConsumer = connection.config("lab-topics").create()?;
    let mut has_told = false;
    while !are_there(client.client(), connection)? {
        if !has_told {
            println!("Waiting for the first class at {} …", connection.servers);
            has_told = true;
        }
        wait::pass(TOPICS_PAUSE)?;
    }
    Ok(())
}

/// Judges until Ctrl-C, or until the topics are gone.
fn work_for(name: &str, connection: &Connection, jobs: usize, shared: Option<&Path>) -> Result<()> {
    let worker = Worker {
        name: name.to_string(),
        connection: connection.clone(),
        shared: shared.map(Path::to_path_buf),
        store: Store::open(connection, name)?,
        notes: Notes::open(connection)?,
        places: (0..jobs).map(|_| Place::default()).collect(),
        taken: VecDeque::new(),
        partitions: BTreeMap::new(),
        is_paused: None,
        starts: 0,
        brokers: most_brokers_here() / jobs,
        left_alone: BTreeSet::new(),
    };
    let worker = Arc::new(Mutex::new(worker));
    let consumer = consumer(connection, name, Arc::clone(&worker))?;
    consumer.subscribe(&[SUBMISSIONS])?;
    println!(
        "{name} (process {}) takes submissions from {} in group {}, {jobs} at a time. Ctrl-C ends it.",
        std::process::id(),
        connection.servers,
        group()
    );
    let ended = poll(&consumer, &worker);
    // Also if something failed: others need not wait for what they would find out by themselves.
    let mut worker = worker.lock();
    if ended.as_ref().is_err_and(|error| error.is::<TopicsGone>()) {
        // There is nowhere to note it, and nobody to whom it is left.
        worker.places.clear();
    }
    let given_up = worker.give_up(|_| true);
    drop(worker);
    drop(consumer);
    match ended {
        Err(error) if !wait::interrupted() => Err(error),
        _ => {
            println!(
                "{name} has left the group. Left to others, while being judged: {}.",
                given_up?
            );
            Ok(())
        }
    }
}

/// Polls, and does what there is to do in between, until Ctrl-C.
fn poll(consumer: &BaseConsumer<Member>, worker: &Mutex<Worker>) -> Result<()> {
    while !wait::interrupted() {
        // Rebalances happen inside this call. They lock the worker.
        let polled = consumer.poll(POLL);
        let mut worker = worker.lock();
        match polled {
            None => {}
            Some(Ok(message)) => worker.take(&message),
            Some(Err(error)) if is_about_the_connection(&error) => {}
            // It joins again.
            Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::PollExceeded))) => {}
            Some(Err(error)) if TopicsGone::is_meant(&error) => bail!(TopicsGone),
            Some(Err(error)) => bail!("topic {SUBMISSIONS} cannot be read: {error}"),
        }
        worker.collect()?;
        worker.begin()?;
        worker.commit(consumer);
        worker.pause(consumer)?;
    }
    Ok(())
}

/// The name of this worker, in the group and in notes: the machine's name, and a number.
fn name() -> String {
    let machine = Command::new("uname").arg("-n").output().ok();
    let machine = machine.and_then(|output| String::from_utf8(output.stdout).ok());
    let machine = machine.unwrap_or_default();
    format!(
        "{}-{:08x}",
        printable(machine.trim()),
        rand::random::<u32>()
    )
}

fn consumer(
    connection: &Connection,
    name: &str,
    worker: Arc<Mutex<Worker>>,
) -> Result<BaseConsumer<Member>> {
    let mut config = connection.config(name);
    config
        .set("group.id", group())
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        // Partitions that stay with a worker are not interrupted when another one joins.
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", SESSION_TIMEOUT_MS)
        // What is fetched ahead fills the memory, and is dropped at the next pause.
        .set("fetch.max.bytes", LARGEST.to_string())
        .set("queued.max.messages.kbytes", (LARGEST >> 10).to_string());
    let context = Member(worker);
    Ok(config.create_with_context(context)?)
}

/// Learns of rebalances.
struct Member(Arc<Mutex<Worker>>);

impl ClientContext for Member {}

impl ConsumerContext for Member {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let mut worker = self.0.lock();
        // Those that stay are as they were, and new ones may be as they were when they were ours before.
        worker.is_paused = None;
        if let Rebalance::Revoke(lost) = rebalance {
            let lost: BTreeSet<i32> = lost.elements().iter().map(|one| one.partition()).collect();
            // Noted before the next owner gets them, because this call comes first.
            match worker.give_up(|partition| lost.contains(&partition)) {
                Ok(0) => {}
                Ok(count) => {
                    println!("Left to the new owner of a partition, while being judged: {count}.")
                }
                Err(error) => eprintln!("{error:#}"),
            }
        }
    }
}

struct Worker {
    name: String,
    connection: Connection,
    shared: Option<PathBuf>,
    store: Store,
    notes: Notes,
    /// One for each job.
    places: Vec<Place>,
    /// Submissions that wait for a place.
    taken: VecDeque<Taken>,
    partitions: BTreeMap<i32, Unfinished>,
    /// Whether all our partitions are paused; `None` if some may be.
    is_paused: Option<bool>,
    /// How many submissions it has started.
    starts: u64,
    /// How many brokers each grader process may use at the same time.
    brokers: usize,
    /// The runs of classes that need another lab.
    left_alone: BTreeSet<String>,
}

/// A place for one submission at a time.
#[derive(Default)]
struct Place {
    /// It stays for the next submission, because it has brokers.
    grader: Option<GraderProcess>,
    judging: Option<(Taken, Task)>,
}

/// A submission that was taken from the topic.
struct Taken {
    partition: i32,
    offset: i64,
    job: Job,
    /// The packed intake; `None` if it is in the shared folder.
    packed: Option<Vec<u8>>,
}

impl Worker {
    /// Takes a record.
    fn take(&mut self, message: &BorrowedMessage<'_>) {
        let (partition, offset) = (message.partition(), message.offset());
        let unfinished = self.partitions.entry(partition).or_default();
        unfinished.take(offset);
        let own = lab_digest();
        let job = match Job::of(message) {
            Some(job) if job.lab == own => job,
            other => {
                // It is finished for this group.
                unfinished.finish(offset);
                if let Some(job) = other
                    && self.left_alone.insert(job.run.clone())
                {
                    println!(
                        "Class {} is graded with another lab ({}) than this one ({}). This worker leaves it alone.",
                        printable(&job.run),
                        printable(&short(&job.lab)),
                        short(&own)
                    );
                }
                return;
            }
        };
        self.taken.push_back(Taken {
            partition,
            offset,
            job,
            packed: message.payload().map(<[u8]>::to_vec),
        });
    }

    /// Stores what graders have answered.
    fn collect(&mut self) -> Result<()> {
        for at in 0..self.places.len() {
            let place = &mut self.places[at];
            let Some(grader) = &place.grader else {
                continue;
            };
            match grader.said() {
                Said::Nothing => {}
                Said::Answer(answer) => {
                    if let Some((taken, _)) = place.judging.take() {
                        self.done(&taken, *answer)?;
                    }
                }
                Said::Ended => {
                    place.grader = None;
                    if let Some((taken, Task { start, .. })) = place.judging.take() {
                        let name = printable(&taken.job.submission);
                        eprintln!("{name}: the process that judged it has ended");
                        self.note(&taken.job, What::Crashed { start })?;
                        self.taken.push_front(taken);
                    }
                }
            }
        }
        Ok(())
    }

    /// Gives submissions to the places that are free.
    fn begin(&mut self) -> Result<()> {
        while let Some(at) = self.places.iter().position(|place| place.judging.is_none()) {
            let Some(taken) = self.taken.pop_front() else {
                break;
            };
            // The partition's owner before us has stored its notes before we got it.
            self.notes.catch_up()?;
            let known = self.notes.of(&taken.job);
            if known.done.is_some() {
                self.finish(&taken);
            } else if known.ended() >= MOST_ENDED {
                let why = format!(
                    "it has ended {MOST_ENDED} graders while they judged it, and was set aside. Grade it alone to see why: \
                     `cargo lab grade SUBMISSION`"
                );
                let report = not_judged(&taken.job.submission, &why);
                self.done(&taken, Answer { report, page: None })?;
            } else {
                self.judge(at, taken)?;
            }
        }
        Ok(())
    }

    /// Lets the grader in this place judge a submission.
    fn judge(&mut self, at: usize, taken: Taken) -> Result<()> {
        let packed = match packed(&taken, self.shared.as_deref()) {
            Ok(packed) => packed,
            Err(error) => {
                let report = not_judged(&taken.job.submission, &format!("{error:#}"));
                return self.done(&taken, Answer { report, page: None });
            }
        };
        self.starts += 1;
        let task = Task {
            job: taken.job.clone(),
            start: format!("{}/{}", self.name, self.starts),
            bytes: packed.len(),
        };
        let start = task.start.clone();
        self.note(&taken.job, What::Started { start })?;
        let place = &mut self.places[at];
        let grader = match &mut place.grader {
            Some(grader) => grader,
            None => place
                .grader
                .insert(GraderProcess::start(&self.connection, self.brokers)?),
        };
        // If it has ended, the next look at it says so.
        let _ = grader.ask(&task, &packed);
        place.judging = Some((taken, task));
        Ok(())
    }

    /// Stores a result. Only then is the submission finished.
    fn done(&mut self, taken: &Taken, mut answer: Answer) -> Result<()> {
        let at = self.store.answer(&taken.job, &mut answer)?;
        let report = &answer.report;
        let what = What::Done {
            report: at,
            outcome: report.outcome,
            seconds: report.seconds,
        };
        self.note(&taken.job, what)?;
        println!("{}", line(report));
        self.finish(taken);
        Ok(())
    }

    fn finish(&mut self, taken: &Taken) {
        if let Some(unfinished) = self.partitions.get_mut(&taken.partition) {
            unfinished.finish(taken.offset);
        }
    }

    fn note(&self, job: &Job, what: What) -> Result<()> {
        self.store.note(&Note {
            job: job.clone(),
            who: self.name.clone(),
            what,
        })
    }

    /// Gives up everything that it has taken from these partitions, and returns how many submissions it was judging.
    fn give_up(&mut self, is_lost: impl Fn(i32) -> bool) -> Result<usize> {
        self.taken.retain(|taken| !is_lost(taken.partition));
        self.partitions.retain(|partition, _| !is_lost(*partition));
        let mut released = Vec::new();
        for place in &mut self.places {
            let lost = place.judging.take_if(|(taken, _)| is_lost(taken.partition));
            if let Some((taken, task)) = lost {
                place.grader = None;
                released.push((taken.job, task.start));
            }
        }
        for (job, start) in &released {
            let start = start.clone();
            self.note(job, What::Released { start })?;
        }
        Ok(released.len())
    }

    /// Commits what is finished. If Kafka refuses, for example during a rebalance, it is committed later, or by the next owner,
    /// which finds the results.
    fn commit(&mut self, consumer: &BaseConsumer<Member>) {
        let mut offsets = TopicPartitionList::new();
        for (partition, unfinished) in &self.partitions {
            if let Some(offset) = unfinished.to_commit() {
                let _ =
                    offsets.add_partition_offset(SUBMISSIONS, *partition, Offset::Offset(offset));
            }
        }
        if offsets.count() > 0 && consumer.commit(&offsets, CommitMode::Sync).is_ok() {
            for one in offsets.elements() {
                let unfinished = self.partitions.get_mut(&one.partition());
                if let (Some(unfinished), Offset::Offset(offset)) = (unfinished, one.offset()) {
                    unfinished.committed(offset);
                }
            }
        }
    }

    /// Takes no more than it can judge soon: the rest waits in Kafka. Polling goes on, so that it stays a member.
    fn pause(&mut self, consumer: &BaseConsumer<Member>) -> Result<()> {
        let is_full = self.taken.len() >= self.places.len();
        if self.is_paused != Some(is_full) {
            let all = consumer.assignment()?;
            if is_full {
                consumer.pause(&all)?;
            } else {
                consumer.resume(&all)?;
            }
            self.is_paused = Some(is_full);
        }
        Ok(())
    }
}

/// The packed intake of a submission.
fn packed(taken: &Taken, shared: Option<&Path>) -> Result<Vec<u8>> {
    if let Some(packed) = &taken.packed {
        return Ok(packed.clone());
    }
    let folder = shared.context(
        "it is too large for a message, and the worker does not know the folder that all machines see. Start workers with \
         `--shared DIR`",
    )?;
    let file = taken.job.file().context("its digest is no digest")?;
    let file = folder.join(file);
    fs::read(&file).with_context(|| {
        format!(
            "it is too large for a message, and the worker cannot read {}. Do all machines see the same folder?",
            file.display()
        )
    })
}

/// The first digits of a digest.
fn short(digest: &str) -> String {
    digest.chars().take(8).collect()
}

/// The score of a submission, as one line.
fn line(report: &Report) -> String {
    format!(
        "{}: {}  {:.1} s",
        printable(&report.submission),
        Points::of(&report.checks),
        report.seconds
    )
}
