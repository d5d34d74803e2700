//! Writes to the topics, and waits until each record is stored.

use std::time::{Duration, Instant};

use anyhow::{Error, Result, anyhow, bail};
use broker::wait::{self, Interrupted};
use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::Message;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use crate::queue::connection::Connection;
use crate::queue::message::{Answer, Job, Note};
use crate::queue::topics::{
    LARGEST, NOTES, REPORTS, RESULTS, SUBMISSIONS, TopicsGone, partitions_of,
};

/// How long we look for an answer before we check whether to stop.
const LOOK: Duration = Duration::from_millis(100);

/// How long we still wait for Kafka's answers after Ctrl-C.
const LAST_WAIT: Duration = Duration::from_secs(10);

/// A producer. Whatever it is given is stored on all replicas when its method returns. As long as Kafka does not answer, it waits,
/// because nothing else could be done without Kafka.
pub struct Store {
    connection: Connection,
    producer: BaseProducer<Answered>,
    /// When it was first seen that Ctrl-C was pressed.
    interrupted: Mutex<Option<Instant>>,
}

/// The offset of the last record, or why it was refused, once Kafka has answered.
#[derive(Default)]
struct Answered(Mutex<Option<Result<i64, KafkaError>>>);

impl ClientContext for Answered {}

impl ProducerContext for Answered {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        *self.0.lock() = Some(match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.clone()),
        });
    }
}

impl Store {
    /// A producer with this name.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn open(connection: &Connection, client: &str) -> Result<Self> {
        let mut config = connection.config(client);
        config
            .set("acks", "all")
            .set("linger.ms", "0")
            .set("message.max.bytes", (LARGEST + LARGEST / 8).to_string())
            // Without limit: Kafka may be restarted.
            .set("message.timeout.ms", "0");
        Ok(Self {
            connection: connection.clone(),
            producer: config.create_with_context(Answered::default())?,
            interrupted: Mutex::default(),
        })
    }

    /// How many partitions there are for submissions.
    ///
    /// # Errors
    /// When Kafka does not answer.
    pub fn partitions(&self) -> Result<i32> {
        let count = partitions_of(self.producer.client(), &self.connection, SUBMISSIONS)?;
        count.ok_or_else(|| anyhow!("topic {SUBMISSIONS} is not ready"))
    }

    /// Publishes a submission. Without an archive, it waits in the shared folder.
    ///
    /// # Errors
    /// When Kafka refuses it, or on Ctrl-C.
    pub fn submission(&self, partition: i32, job: &Job, archive: Option<&[u8]>) -> Result<()> {
        let mut record = BaseRecord::to(SUBMISSIONS)
            .partition(partition)
            .key(job.submission.as_bytes())
            .headers(job.header()?);
        record.payload = archive;
        self.put(record).map(drop)
    }

    /// Stores what has happened to a job.
    ///
    /// # Errors
    /// When Kafka refuses it, or on Ctrl-C.
    pub fn note(&self, note: &Note) -> Result<()> {
        let value = serde_json::to_vec(note)?;
        let record = BaseRecord::to(RESULTS)
            .partition(NOTES)
            .key(note.job.submission.as_bytes())
            .payload(value.as_slice());
        self.put(record).map(drop)
    }

    /// Stores a result, and returns its offset.
    ///
    /// # Errors
    /// When Kafka refuses it, or on Ctrl-C.
    pub fn answer(&self, job: &Job, answer: &mut Answer) -> Result<i64> {
        let mut value = answer.packed()?;
        if value.len() > LARGEST {
            answer.page = None;
            value = answer.packed()?;
        }
        let record = BaseRecord::to(RESULTS)
            .partition(REPORTS)
            .key(job.submission.as_bytes())
            .headers(job.header()?)
            .payload(value.as_slice());
        self.put(record)
    }

    /// Sends a record, and waits for its offset.
    fn put(&self, record: BaseRecord<'_, [u8], [u8]>) -> Result<i64> {
        let topic = record.topic;
        let answered = &self.producer.context().0;
        *answered.lock() = None;
        let refused = |error: KafkaError| {
            if TopicsGone::is_meant(&error) {
                return Error::new(TopicsGone);
            }
            anyhow!(
                "Kafka refused a record for topic {topic} ({error}). Does the topic allow messages of {} MB \
                 (max.message.bytes), and may this user write to it?",
                LARGEST >> 20
            )
        };
        self.producer
            .send(record)
            .map_err(|(error, _)| refused(error))?;
        loop {
            self.producer.poll(LOOK);
            if let Some(answer) = answered.lock().take() {
                return answer.map_err(refused);
            }
            if wait::interrupted() {
                let since = *self.interrupted.lock().get_or_insert_with(Instant::now);
                if since.elapsed() > LAST_WAIT {
                    bail!(Interrupted);
                }
            }
        }
    }
}
