//! Kafka's own record of what it was asked: `kafka.request.logger` at DEBUG writes a line for each completed request.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

/// A request that the broker has answered.
#[derive(Clone, Debug)]
pub struct Request {
    /// When the answer was complete.
    pub at: SystemTime,
    /// As the broker logged it: `requestHeader`, `request`, `response`, `listener`, `totalTimeMs` and more.
    pub logged: Arc<Value>,
}

/// What stands between the time and the JSON.
const MARK: &str = "Completed request:";

/// The requests in a log that is known up to `from`, of those lines that are wanted; and how far it is known then.
pub fn read(log: &[u8], from: usize, wanted: impl Fn(&str) -> bool) -> (Vec<Request>, usize) {
    let end = whole_lines(log);
    let requests = parse(&String::from_utf8_lossy(&log[..end]), wanted).collect();
    (requests, from + end)
}

/// The requests in these lines of a log. The last line may be half-written: then it is not there yet.
fn parse(text: &str, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = Request> {
    text.lines()
        .filter(move |line| wanted(line))
        .filter_map(|line| {
            let (before, json) = line.split_once(MARK)?;
            Some(Request {
                at: time(before)?,
                logged: Arc::new(serde_json::from_str(json.split(" (kafka.request").next()?).ok()?),
            })
        })
}

/// How much of a log is whole lines, in bytes.
fn whole_lines(text: &[u8]) -> usize {
    text.iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1)
}

/// Our own configuration writes milliseconds since 1970; the official image `[2026-01-31 12:00:00,000] DEBUG `, in UTC.
fn time(before: &str) -> Option<SystemTime> {
    if let Ok(millis) = before.trim().parse() {
        return Some(UNIX_EPOCH + Duration::from_millis(millis));
    }
    let (date, _) = before.trim_start().strip_prefix('[')?.split_once(']')?;
    let date = DateTime::strptime("%Y-%m-%d %H:%M:%S,%f", date).ok()?;
    Some(SystemTime::from(
        date.to_zoned(TimeZone::UTC).ok()?.timestamp(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_lines_of_a_jvm_and_of_the_image() {
        let text = "1700000000123 Completed request:{\"a\":1}\n\
                    [2023-11-14 22:13:20,123] DEBUG Completed request:{\"a\":2} (kafka.request.logger)\n\
                    [2023-11-14 22:13:20,124] INFO something else\n\
                    1700000000125 Completed request:{\"a\":";
        let requests: Vec<Request> = parse(text, |_| true).collect();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].at, requests[1].at);
        assert_eq!(requests[1].logged["a"], 2);
    }
}
