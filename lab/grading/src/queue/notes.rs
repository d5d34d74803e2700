//! What is known about each job, from the notes of all workers and gatherers.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use broker::wait;
use common::is_about_the_connection;
use judge::Outcome;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::{Message, Timestamp};

use crate::queue::connection::Connection;
use crate::queue::message::{Job, Note, What};
use crate::queue::topics::{GROUPS, NOTES, RESULTS, TopicsGone};

/// How long one look takes if there is nothing new.
const LOOK: Duration = Duration::from_millis(100);

/// How long Kafka may take to say where the notes end, before it is asked again.
const ASK_LIMIT: Duration = Duration::from_secs(5);

/// What is known about a job.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub is_published: bool,
    /// When it was started, by the worker's name, if no note says what became of that. By the name of the start.
    pub open: HashMap<String, (String, SystemTime)>,
    /// How often the process that judged it has ended, although its worker has not.
    crashed: usize,
    /// The first result. All later ones are ignored: a job may be published or judged twice.
    pub done: Option<Done>,
}

/// That a job is done.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// Where the report is, in the partition of reports.
    pub report: i64,
    pub outcome: Outcome,
    pub seconds: f64,
    pub at: SystemTime,
}

impl Known {
    /// How many graders have ended while they judged it. To be asked by the job's owner, while it is not judging it: then nobody
    /// is still at work on an open start.
    pub fn ended(&self) -> usize {
        self.crashed + self.open.len()
    }
}

/// All notes so far.
pub struct Notes {
    consumer: BaseConsumer,
    /// The offset of the next note.
    next: i64,
    pub jobs: HashMap<Job, Known>,
}

impl Notes {
    /// The notes of this cluster, read from the beginning. Does not read anything yet. The topic must be there: otherwise librdkafka
    /// may report that it is missing even after it was created (seen in one of five runs).
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn open(connection: &Connection) -> Result<Self> {
        let mut config = connection.config("lab-notes");
        config
            .set("group.id", format!("{GROUPS}-notes"))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "50");
        let consumer: BaseConsumer = config.create()?;
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(RESULTS, NOTES, Offset::Beginning)?;
        consumer.assign(&from)?;
        Ok(Self {
            consumer,
            next: 0,
            jobs: HashMap::new(),
        })
    }

    /// Reads all notes that are there now. Waits as long as Kafka does not answer.
    ///
    /// # Errors
    /// [`TopicsGone`]; when Kafka refuses, or on Ctrl-C.
    pub fn catch_up(&mut self) -> Result<()> {
        let end = loop {
            wait::check_stop()?;
            if let Ok((first, end)) = self.consumer.fetch_watermarks(RESULTS, NOTES, ASK_LIMIT) {
                // What is older than the topic's retention time is gone.
                self.next = self.next.max(first);
                break end;
            }
        };
        while self.next < end {
            wait::check_stop()?;
            self.look()?;
        }
        Ok(())
    }

    /// Reads one more note if there is one within a moment, and returns its job.
    ///
    /// # Errors
    /// [`TopicsGone`]; or when Kafka refuses.
    pub fn look(&mut self) -> Result<Option<Job>> {
        match self.consumer.poll(LOOK) {
            None => Ok(None),
            Some(Err(error)) if is_about_the_connection(&error) => Ok(None),
            Some(Err(error)) if TopicsGone::is_meant(&error) => bail!(TopicsGone),
            Some(Err(error)) => bail!("topic {RESULTS} cannot be read: {error}"),
            Some(Ok(message)) => {
                self.next = message.offset() + 1;
                let at = match message.timestamp() {
                    Timestamp::CreateTime(millis) | Timestamp::LogAppendTime(millis) => {
                        UNIX_EPOCH + Duration::from_millis(millis.try_into().unwrap_or_default())
                    }
                    Timestamp::NotAvailable => SystemTime::now(),
                };
                // What is no note was not written by this lab, and says nothing about its jobs.
                let note = message.payload().map(serde_json::from_slice);
                let Some(Ok(note)) = note else {
                    return Ok(None);
                };
                let note: Note = note;
                let job = note.job.clone();
                self.add(note, at);
                Ok(Some(job))
            }
        }
    }

    fn add(&mut self, note: Note, at: SystemTime) {
        let known = self.jobs.entry(note.job).or_default();
        match note.what {
            What::Published => known.is_published = true,
            What::Started { start } => {
                known.open.insert(start, (note.who, at));
            }
            What::Released { start } => {
                known.open.remove(&start);
            }
            What::Crashed { start } => {
                known.crashed += usize::from(known.open.remove(&start).is_some());
            }
            What::Done {
                report,
                outcome,
                seconds,
            } => {
                known.done.get_or_insert(Done {
                    report,
                    outcome,
                    seconds,
                    at,
                });
                known.open.clear();
            }
        }
    }

    /// What is known about a job.
    pub fn of(&self, job: &Job) -> Known {
        self.jobs.get(job).cloned().unwrap_or_default()
    }
}
