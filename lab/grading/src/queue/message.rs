//! What the topics contain.

use std::io::{Read, Write};

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use judge::{Outcome, Report};
use rdkafka::Message;
use rdkafka::message::{Header, Headers, OwnedHeaders};
use serde::{Deserialize, Serialize};

/// A submission of a class that one worker is to judge. The record has it in a header; the value is the packed intake, or nothing
/// if that is too large and waits in a shared folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Job {
    /// One run of a class, until all its results are there.
    pub run: String,
    /// The submission's name.
    pub submission: String,
    /// The digest of its intake.
    pub digest: String,
    /// The digest of the lab that it is to be graded with.
    pub lab: String,
}

/// The header of a record that holds the [`Job`].
const JOB: &str = "job";

impl Job {
    /// The header of the job's record.
    ///
    /// # Errors
    /// Never, in practice.
    pub fn header(&self) -> Result<OwnedHeaders> {
        Ok(OwnedHeaders::new().insert(Header {
            key: JOB,
            value: Some(&serde_json::to_vec(self)?),
        }))
    }

    /// The job of a record; `None` if the record was not published by this lab.
    pub fn of(record: &impl Message) -> Option<Self> {
        let mut headers = record.headers()?.iter();
        let header = headers.find(|header| header.key == JOB)?;
        serde_json::from_slice(header.value?).ok()
    }

    /// The name of its packed intake in a shared folder; `None` if the digest is no digest.
    pub fn file(&self) -> Option<String> {
        let is_digest = self.digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_digest.then(|| format!("{}.tar.gz", self.digest))
    }
}

/// Something that has happened to a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Note {
    pub job: Job,
    /// The worker that did it; for `Published`, the gatherer.
    pub who: String,
    pub what: What,
}

/// What has happened to a job. `start` identifies one start of judging it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    Published,
    Started {
        start: String,
    },
    /// Its worker has given it up, which is not the submission's fault.
    Released {
        start: String,
    },
    /// The process that judged it has ended.
    Crashed {
        start: String,
    },
    /// Its report is in the partition of reports, at this offset.
    Done {
        report: i64,
        outcome: Outcome,
        seconds: f64,
    },
}

/// The result of a job. The page is missing if it is too large for a record.
#[derive(Serialize, Deserialize)]
pub struct Answer {
    pub report: Report,
    pub page: Option<String>,
}

impl Answer {
    /// The value of its record.
    ///
    /// # Errors
    /// Never, in practice.
    pub fn packed(&self) -> Result<Vec<u8>> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&serde_json::to_vec(self)?)?;
        Ok(packed.finish()?)
    }

    /// The answer that was packed.
    ///
    /// # Errors
    /// When the value is no answer.
    pub fn unpacked(packed: &[u8]) -> Result<Self> {
        let mut json = Vec::new();
        GzDecoder::new(packed).read_to_end(&mut json)?;
        serde_json::from_slice(&json).context("a result cannot be read")
    }
}
