//! Reads records in a process of its own. Programs may have sent any number of records, of any size, and in batches that unpack
//! to much more than was sent. librdkafka then takes as much memory as it needs, or aborts the process.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;

use anyhow::{Context, Result, bail};
use broker::wait;
use confine::helper::{Helper, Reply, serve};
use serde::{Deserialize, Serialize};

use crate::isolation::Isolation;
use crate::kafka::config::config;
use crate::kafka::reader::{READ_LIMIT, Read, Reader};
use crate::kafka::record::Record;

/// The first argument of a process that reads records. The next ones are the address of the cluster and the isolation level.
const MARK: &str = "--read-records";

/// Which records are wanted: for each partition, those from an offset on, and before another one.
#[derive(Serialize, Deserialize)]
struct Question {
    topic: String,
    from: Vec<i64>,
    to: Vec<i64>,
}

/// The error if a topic holds more than can be read.
#[derive(Clone, Debug)]
pub struct Unreadable {
    topic: String,
    why: String,
}

impl std::error::Error for Unreadable {}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { topic, why } = self;
        write!(f, "the records of {topic} cannot be read: {why}")
    }
}

/// The records of a topic from these offsets on, and before the other ones, for each partition.
///
/// # Errors
/// [`Unreadable`] if it is too much. Other errors if they could not be read in 60 s, and on Ctrl-C.
pub fn read(
    helpers: &mut BTreeMap<Isolation, Helper>,
    bootstrap: &str,
    isolation: Isolation,
    (topic, from, to): (&str, &[i64], &[i64]),
) -> Result<Vec<Record>> {
    let mut helper = match helpers.remove(&isolation) {
        Some(helper) => helper,
        None => Helper::new(vec![
            MARK.into(),
            bootstrap.into(),
            isolation.level().into(),
        ])?,
    };
    let question = serde_json::to_string(&Question {
        topic: topic.to_string(),
        from: from.to_vec(),
        to: to.to_vec(),
    })?;
    let too_much = |why| Unreadable {
        topic: topic.to_string(),
        why,
    };
    let answer: Result<Read, String> = match helper.ask(&question, wait::check_stop)? {
        Reply::Answer(answer) => serde_json::from_str(&answer)
            .context("the process that reads records gave an answer that is not one")?,
        Reply::Ended(why) => bail!(too_much(why)),
    };
    match answer {
        Ok(Read::Records(records)) => {
            helpers.insert(isolation, helper);
            Ok(records)
        }
        Ok(Read::TooMuch(why)) => bail!(too_much(why)),
        Err(error) => bail!(error),
    }
}

/// If this process was started to read records, does that and does not return.
pub fn read_records_if_asked() {
    let words: Vec<OsString> = env::args_os().skip(1).collect();
    let [mark, bootstrap, level] = words.as_slice() else {
        return;
    };
    if mark != MARK {
        return;
    }
    let levels = [Isolation::ReadCommitted, Isolation::ReadUncommitted];
    let isolation = levels.into_iter().find(|one| level == one.level());
    let config = config(&bootstrap.to_string_lossy());
    let mut reader = None;
    // The kernel's limit is for a reader that does not keep to its own.
    let seconds = u32::try_from(READ_LIMIT.as_secs()).unwrap_or(u32::MAX) + 10;
    serve(seconds, |question| {
        let mut answer = || {
            let Question { topic, from, to } = serde_json::from_str(question)?;
            let isolation = isolation.context("there is no such isolation level")?;
            let reader = match &mut reader {
                Some(reader) => reader,
                none => none.insert(Reader::new(&config, isolation)?),
            };
            reader.read(&topic, &from, &to)
        };
        let answer = answer().map_err(|error| format!("{error:#}"));
        serde_json::to_string(&answer).unwrap_or_default()
    })
}
