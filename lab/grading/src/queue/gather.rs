//! Grades a class through Kafka: publishes its submissions, and gathers the results.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use broker::wait;
use common::is_about_the_connection;
use parking_lot::Mutex;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use terminal::write_atomically;

use crate::class::{Class, Graded};
use crate::intake::Intake;
use crate::judgment::Judgment;
use crate::lab_digest::lab_digest;
use crate::queue::connection::{Connection, REACH_LIMIT};
use crate::queue::message::{Answer, Job};
use crate::queue::notes::Notes;
use crate::queue::publish::{Publisher, clean_up};
use crate::queue::store::Store;
use crate::queue::topics::{GROUPS, REPORTS, RESULTS, ensure_topics, group};
use crate::results::{Results, digest};

/// The file, among the results, with the name of this run. It is there until the class is graded. So a gatherer that was stopped
/// goes on with what it has published.
const RUN: &str = ".run";

/// How long nothing may happen before we look whether there are workers at all.
const QUIET: Duration = Duration::from_secs(15);

/// What there is to say about a submission, by its name: the digest of what was judged, and its result.
type Arrived = Mutex<HashMap<String, Result<(String, Judgment)>>>;

/// Grades the class on the workers of this cluster. Writes the same results as [`Class::grade`]. Submissions that are too large
/// for a message are put into the folder `shared`.
///
/// # Errors
/// When results cannot be written, when Kafka refuses, and on Ctrl-C. Then the same command goes on later.
pub fn grade_through(
    class: &Class,
    connection: &Connection,
    shared: Option<&Path>,
    done: impl Fn(&Graded) + Sync,
) -> Result<Vec<Graded>> {
    let out = class
        .out
        .as_deref()
        .context("there is no folder for results")?;
    let results = Results::in_folder(out)?;
    ensure_topics(connection)?;
    let run = run_of(out)?;
    let arrived = Arrived::default();
    let mut gatherer = Gatherer {
        notes: Notes::open(connection)?,
        reports: reports(connection)?,
        connection: connection.clone(),
        shared,
        arrived: &arrived,
        ready: VecDeque::new(),
        waiting: HashMap::new(),
        heard: Instant::now(),
        has_warned: false,
    };
    gatherer.notes.catch_up()?;
    gatherer.publish(class, &results, &run)?;
    let judge = |name: &str, intake: &Intake| {
        let found = arrived.lock().remove(name);
        let (judged, judgment) =
            found.with_context(|| format!("nothing was heard of {name}"))??;
        if judged != intake.digest() {
            bail!("it has changed since it was published. Grade it again");
        }
        Ok(judgment)
    };
    let graded = class.grade_by(&mut gatherer, &judge, &done)?;
    fs::remove_file(out.join(RUN))?;
    Ok(graded)
}

/// The name of the run that is not finished yet, or of a new one.
fn run_of(out: &Path) -> Result<String> {
    let file = out.join(RUN);
    if let Ok(run) = fs::read_to_string(&file) {
        return Ok(run);
    }
    let folder = std::path::absolute(out)?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let run = format!("{name}-{:08x}", rand::random::<u32>());
    write_atomically(&file, run.as_bytes())?;
    Ok(run)
}

/// A consumer for single reports.
fn reports(connection: &Connection) -> Result<BaseConsumer> {
    let mut config = connection.config("lab-reports");
    config
        .set("group.id", format!("{GROUPS}-reports"))
        .set("enable.auto.commit", "false")
        .set("fetch.message.max.bytes", (1 << 20).to_string());
    Ok(config.create()?)
}

/// The order in which results arrive.
struct Gatherer<'a> {
    notes: Notes,
    reports: BaseConsumer,
    connection: Connection,
    shared: Option<&'a Path>,
    arrived: &'a Arrived,
    /// The places of the submissions that need not wait for a worker.
    ready: VecDeque<usize>,
    /// The places of the others.
    waiting: HashMap<Job, usize>,
    /// When the last note came.
    heard: Instant,
    has_warned: bool,
}

impl Gatherer<'_> {
    /// Publishes what has no result and was not published yet.
    fn publish(&mut self, class: &Class, results: &Results, run: &str) -> Result<()> {
        let store = Store::open(&self.connection, run)?;
        let mut publisher = Publisher::new(&store, self.shared)?;
        for (place, submitted) in class.submissions.iter().enumerate() {
            wait::check_stop()?;
            let read = Intake::read(&submitted.source);
            let name = &submitted.name;
            let is_kept = results.kept(name, &digest(&read)).is_some();
            let Some(intake) = read.ok().filter(|_| !is_kept) else {
                self.ready.push_back(place);
                continue;
            };
            let job = Job {
                run: run.to_string(),
                submission: name.clone(),
                digest: intake.digest(),
                lab: lab_digest(),
            };
            if !self.notes.of(&job).is_published {
                match publisher.packed(&intake) {
                    Ok(packed) => publisher.publish(&job, &packed, run)?,
                    Err(error) => {
                        self.arrived.lock().insert(name.clone(), Err(error));
                        self.ready.push_back(place);
                        continue;
                    }
                }
            }
            self.waiting.insert(job, place);
        }
        Ok(())
    }

    /// The place of the next submission to which there is something to say.
    fn wait_for_next(&mut self) -> Result<Option<usize>> {
        loop {
            if let Some(place) = self.ready.pop_front() {
                return Ok(Some(place));
            }
            if self.waiting.is_empty() {
                return Ok(None);
            }
            wait::check_interrupt()?;
            if wait::deadline_over().is_some() {
                self.ready
                    .extend(self.waiting.drain().map(|(_, place)| place));
                continue;
            }
            let jobs = self.waiting.keys();
            let done = jobs.filter_map(|job| Some((job.clone(), self.notes.jobs.get(job)?.done?)));
            // Results of an earlier run of this command are there at once; all others come one by one.
            if let Some((job, done)) = done.min_by_key(|(_, done)| done.at) {
                let place = self.waiting.remove(&job);
                let answer = self.report_at(done.report)?;
                let judgment = match answer.page {
                    Some(page) => Judgment::with_page(answer.report, page),
                    None => answer.report.into(),
                };
                let judged = Ok((job.digest.clone(), judgment));
                self.arrived.lock().insert(job.submission.clone(), judged);
                clean_up(self.shared, &job);
                return Ok(place);
            }
            match self.notes.look()? {
                Some(_) => self.heard = Instant::now(),
                None => self.warn_if_quiet(),
            }
        }
    }

    /// Reads one report.
    fn report_at(&self, offset: i64) -> Result<Answer> {
        let mut there = TopicPartitionList::new();
        there.add_partition_offset(RESULTS, REPORTS, Offset::Offset(offset))?;
        self.reports.assign(&there)?;
        loop {
            wait::check_stop()?;
            match self.reports.poll(Duration::from_millis(100)) {
                None => {}
                Some(Err(error)) if is_about_the_connection(&error) => {}
                Some(Err(error)) => bail!("topic {RESULTS} cannot be read: {error}"),
                Some(Ok(message)) if message.offset() == offset => {
                    return Answer::unpacked(message.payload().unwrap_or_default());
                }
                Some(Ok(message)) => {
                    return Err(anyhow!(
                        "the report at offset {offset} of topic {RESULTS} is gone: the next one is at {}. Keep the topic's \
                         records for longer (retention.ms), and delete {RUN} in the folder of results to grade the rest again",
                        message.offset()
                    ));
                }
            }
        }
    }

    /// Says once that nobody is there to judge the class.
    fn warn_if_quiet(&mut self) {
        if self.has_warned || self.heard.elapsed() < QUIET {
            return;
        }
        self.heard = Instant::now();
        let groups = self.reports.fetch_group_list(Some(&group()), REACH_LIMIT);
        let members = groups.map(|groups| {
            let groups = groups.groups().iter();
            groups.map(|group| group.members().len()).sum::<usize>()
        });
        if members.is_ok_and(|members| members == 0) {
            self.has_warned = true;
            eprintln!(
                "No worker with this lab is there yet (group {}). On any machine with the same version of the lab: `cargo lab \
                 worker --through {}`",
                group(),
                self.connection.servers
            );
        }
    }
}

impl Iterator for Gatherer<'_> {
    type Item = Result<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        self.wait_for_next().transpose()
    }
}
