//! Kafka's request log: `kafka.request.logger` at level DEBUG writes a line for each request that the broker has answered.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

/// A request that the broker has answered.
#[derive(Clone, Debug)]
pub struct Request {
    /// When the broker completed its answer.
    pub at: SystemTime,
    /// What the broker logged: `requestHeader`, `request`, `response`, `listener`, `totalTimeMs` and more.
    pub logged: Arc<Value>,
}

/// The words between the time and the JSON.
const MARK: &str = "Completed request:";

/// Reads the requests in a part of a log. `log` is that part, and it begins at the position `from` of the whole log. `wanted`
/// chooses the lines to parse. Returns the requests, and the position up to which the log has been read.
pub fn read(log: &[u8], from: usize, wanted: impl Fn(&str) -> bool) -> (Vec<Request>, usize) {
    let end = whole_lines(log);
    let requests = parse(&String::from_utf8_lossy(&log[..end]), wanted).collect();
    (requests, from + end)
}

/// The requests in these lines of a log. Lines that are incomplete are skipped.
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

/// The length in bytes of all complete lines of a log.
fn whole_lines(text: &[u8]) -> usize {
    text.iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1)
}

/// The time at the beginning of a line. With our own configuration, Kafka logs milliseconds since 1970. The official image logs
/// `[2026-01-31 12:00:00,000] DEBUG `, in UTC.
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
