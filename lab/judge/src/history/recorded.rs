//! All that happened while tasks were judged, as JSON Lines. A request is two lines: when it was invoked, and when it was
//! completed. Everything else is one line. `docs/history.md` explains each field.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::history::effect::TopicIds;
use crate::history::logged::Logged;
use crate::history::operation::{KINDS, Operation, Phase, Positions};
use crate::history::{Happening, Moment, removed_client};
use crate::programs::transcript::Deed;

/// The process of lines about what we did, as Jepsen calls what causes faults.
const NEMESIS: &str = "nemesis";

/// Requests that are not operations, but that say when a connection was opened, and what topics are called.
const CONTEXT: &[&str] = &["API_VERSIONS", "METADATA"];

/// What happened on a lane while a task was judged.
#[derive(Debug, Default)]
pub struct Recorded {
    task: u32,
    /// What the checks saw, and which checks saw it. Checks that look at the same run see the same moments.
    seen: BTreeMap<SystemTime, Seen>,
    /// The requests of programs, in the order of their answers.
    requests: Vec<Logged>,
    /// The requests whose answers never came to the programs, as [`Logged::port_and_number`] names them.
    undelivered: BTreeSet<(u16, i32)>,
}

/// The moments of one time.
#[derive(Debug, Default)]
struct Seen {
    moments: Vec<Moment>,
    checks: Vec<&'static str>,
}

/// A line, without its number.
#[derive(Clone, Debug)]
struct Event {
    at: SystemTime,
    process: Process,
    phase: Phase,
    f: String,
    value: Value,
    errors: Vec<Value>,
    program: Option<Run>,
    details: Map<String, Value>,
    task: u32,
    lane: usize,
    checks: Vec<&'static str>,
}

/// Who did it: a client's connection, or else us or a program.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Process {
    Client(usize),
    Other(String),
}

/// A line as it is written; the fields are in this order.
#[derive(Serialize)]
struct Line<'a> {
    index: usize,
    time: u64,
    process: &'a Process,
    #[serde(rename = "type")]
    phase: Phase,
    f: &'a str,
    value: &'a Value,
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    error: &'a [Value],
    task: u32,
    lane: usize,
    checks: &'a [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<usize>,
    #[serde(flatten)]
    details: &'a Map<String, Value>,
}

impl Recorded {
    /// The record of this task, with nothing in it.
    pub fn new(task: u32) -> Self {
        Self {
            task,
            ..Self::default()
        }
    }

    /// Adds what a check saw. `seen` is sorted by time.
    pub fn add(&mut self, check: &'static str, seen: &[Moment]) {
        for alike in seen.chunk_by(|one, other| one.at == other.at) {
            let known = self.seen.entry(alike[0].at).or_default();
            if known.moments.is_empty() {
                known.moments = alike.to_vec();
            }
            if !known.checks.contains(&check) {
                known.checks.push(check);
            }
        }
    }

    /// Adds all requests of the task's programs. `of_kind` gives those of one kind. Checks see fewer, because their moments leave
    /// out what a reader of a report does not need to know.
    ///
    /// # Errors
    /// The error of `of_kind`. Then the requests that checks saw are all that the record has.
    pub fn add_requests<E>(
        &mut self,
        of_kind: impl Fn(&str) -> Result<Vec<Logged>, E>,
    ) -> Result<(), E> {
        let kinds = KINDS.iter().chain(CONTEXT);
        let requests: Result<Vec<Vec<Logged>>, E> = kinds.map(|kind| of_kind(kind)).collect();
        self.requests = requests?.concat();
        Ok(())
    }

    /// Says for which requests the answer never came to the program: the port of the connection, and the correlation id.
    pub fn set_undelivered(&mut self, undelivered: BTreeSet<(u16, i32)>) {
        self.undelivered = undelivered;
    }

    /// The events of this lane. `next_process` is the number of the next process.
    fn events(&self, next_process: &mut usize) -> Vec<Event> {
        let mut runs = Runs::default();
        let mut events = Vec::new();
        let moments = self.seen.values().flat_map(|seen| &seen.moments);
        for moment in moments.clone() {
            events.extend(self.event_of_moment(moment, &mut runs));
        }
        let mut requests = self.requests.clone();
        let is_known =
            |logged: &Logged| !self.requests.is_empty() && KINDS.contains(&logged.kind());
        requests.extend(moments.filter_map(|moment| match &moment.what {
            Happening::Request { logged, .. } if !is_known(logged) => Some(logged.clone()),
            _ => None,
        }));
        requests.retain(|request| removed_client(request).is_none());
        requests.sort_by_key(|request| (request.answered_at(), request.port_and_number()));
        let mut topics = TopicIds::default();
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let mut connections: Vec<Vec<&Logged>> = Vec::new();
        for request in &requests {
            topics.learn(request);
            let number = *numbers
                .entry(request.connection())
                .or_insert(connections.len());
            if number == connections.len() {
                connections.push(Vec::new());
            }
            connections[number].push(request);
        }
        for requests in &connections {
            events.extend(self.events_of_connection(requests, &topics, &runs, next_process));
        }
        events
    }

    /// A deed, a printed line or a note; a request only if we sent it.
    fn event_of_moment(&self, moment: &Moment, runs: &mut Runs) -> Option<Event> {
        let who = moment.who.as_str();
        let run = moment.run.map(|run| (who.to_string(), run));
        if let (Happening::Deed(deed), Some(run)) = (&moment.what, &run) {
            runs.add(moment.at, run.clone(), deed);
        }
        let (process, f, value) = match &moment.what {
            Happening::Deed(Deed::Started) => (NEMESIS, "start", json!(who)),
            Happening::Deed(Deed::Interrupted) => (NEMESIS, "interrupt", json!(who)),
            Happening::Deed(Deed::Killed) => (NEMESIS, "kill", json!(who)),
            Happening::Deed(Deed::Ended(status)) => (who, "end", json!(status.to_string())),
            Happening::Out(line) => (who, "print", json!(line)),
            Happening::Err(line) => (who, "print_error", json!(line)),
            Happening::Note(note) => (NEMESIS, "note", json!(note.trim())),
            Happening::Request { logged, .. } => {
                removed_client(logged)?;
                (NEMESIS, "remove_member", json!(logged.member_id()))
            }
        };
        Some(Event {
            at: moment.at,
            process: Process::Other(process.to_string()),
            phase: Phase::Info,
            f: f.to_string(),
            value,
            errors: Vec::new(),
            program: run,
            details: Map::new(),
            task: self.task,
            lane: 0,
            checks: self.checks_at(moment.at),
        })
    }

    /// The requests of one connection; they are sorted by time. The broker takes up a request of a connection when it has
    /// answered the one before, so a connection does one thing at a time, as a process does in Jepsen's histories.
    fn events_of_connection(
        &self,
        requests: &[&Logged],
        topics: &TopicIds,
        runs: &Runs,
        next_process: &mut usize,
    ) -> Vec<Event> {
        let opened = requests.iter().map(|request| request.asked_at()).min();
        let run = opened.and_then(|at| runs.only_one_at(at));
        let positions = Positions::of(requests, topics);
        let mut process = None;
        let mut free_from = SystemTime::UNIX_EPOCH;
        let mut events = Vec::new();
        for (at, request) in requests.iter().enumerate() {
            if CONTEXT.contains(&request.kind()) {
                continue;
            }
            let id = request.port_and_number();
            let is_delivered = id.is_none_or(|id| !self.undelivered.contains(&id));
            let operation = Operation::of(request, topics, &positions, at, is_delivered);
            // The log's clock has milliseconds, so a request may seem to begin before the one before it ended.
            let asked_at = request.asked_at().max(free_from);
            free_from = request.answered_at().max(asked_at);
            let number = *process.get_or_insert_with(|| {
                *next_process += 1;
                *next_process - 1
            });
            if operation.outcome == Phase::Info {
                // In Jepsen's histories, a process does nothing more after an operation whose outcome it does not know.
                process = None;
            }
            let details_of_answer = operation.details.clone().into_iter();
            let details_of_answer = details_of_answer.chain(operation.details_of_answer);
            let asked = Event {
                at: asked_at,
                process: Process::Client(number),
                phase: Phase::Invoke,
                f: operation.f,
                value: operation.asked,
                errors: Vec::new(),
                program: run.clone(),
                details: operation.details,
                task: self.task,
                lane: 0,
                checks: self.checks_at(asked_at),
            };
            let answered = Event {
                at: free_from,
                phase: operation.outcome,
                value: operation.answered,
                errors: operation.errors,
                details: details_of_answer.collect(),
                ..asked.clone()
            };
            events.extend([asked, answered]);
        }
        events
    }

    /// The checks that looked at what happened at this time. They are those that saw the last moment before it.
    fn checks_at(&self, at: SystemTime) -> Vec<&'static str> {
        let last = self.seen.range(..=at).next_back();
        last.map_or_else(Vec::new, |(_, seen)| seen.checks.clone())
    }
}

/// All that happened on these lanes, one JSON object per line, in the order of time.
pub fn json_lines(recorded: &[Recorded]) -> String {
    let mut next_process = 0;
    let mut events = Vec::new();
    for (lane, of_lane) in recorded.iter().enumerate() {
        let of_lane = of_lane.events(&mut next_process);
        events.extend(of_lane.into_iter().map(|event| Event { lane, ..event }));
    }
    // Of equal times, the order within a connection stays.
    events.sort_by_key(|event| event.at);
    number_processes_and_lanes(&mut events);
    let start = events.first().map(|event| event.at);
    let mut text = String::new();
    for (index, event) in events.iter().enumerate() {
        let since = start.and_then(|start| event.at.duration_since(start).ok());
        let line = Line {
            index,
            time: since.map_or(0, |since| {
                u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
            }),
            process: &event.process,
            phase: event.phase,
            f: &event.f,
            value: &event.value,
            error: &event.errors,
            task: event.task,
            lane: event.lane,
            checks: &event.checks,
            program: event.program.as_ref().map(|(name, _)| name.as_str()),
            run: event.program.as_ref().map(|(_, run)| *run),
            details: &event.details,
        };
        // A line has no keys that are not texts, so it can always be written.
        text += &serde_json::to_string(&line).unwrap_or_default();
        text.push('\n');
    }
    text
}

/// Numbers the processes in the order in which they first do something, from 0 on, and so the lanes, from 1 on.
fn number_processes_and_lanes(events: &mut [Event]) {
    let (mut numbers, mut lanes) = (BTreeMap::new(), BTreeMap::new());
    for event in events {
        let next = lanes.len() + 1;
        event.lane = *lanes.entry(event.lane).or_insert(next);
        if let Process::Client(number) = &mut event.process {
            let next = numbers.len();
            *number = *numbers.entry(*number).or_insert(next);
        }
    }
}

/// The runs of programs: from when to when each of them was running.
#[derive(Debug, Default)]
struct Runs(BTreeMap<Run, (SystemTime, Option<SystemTime>)>);

/// The name of a program, and the number of the run.
type Run = (String, usize);

impl Runs {
    fn add(&mut self, at: SystemTime, run: Run, deed: &Deed) {
        match deed {
            Deed::Started => {
                self.0.insert(run, (at, None));
            }
            Deed::Interrupted => {}
            Deed::Killed | Deed::Ended(_) => {
                if let Some((_, to)) = self.0.get_mut(&run) {
                    to.get_or_insert(at);
                }
            }
        }
    }

    /// The only run of any program at this time. `None` if there are several: no log says in which of them a client is.
    fn only_one_at(&self, at: SystemTime) -> Option<Run> {
        let mut running = self
            .0
            .iter()
            .filter(|(_, (from, to))| *from <= at && to.is_none_or(|to| at <= to));
        let (run, _) = running.next()?;
        running.next().is_none().then(|| run.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;
    use std::time::Duration;

    use super::*;
    use crate::history::logged::tests::{commit, fetch};

    /// A moment, this many milliseconds after the time at which the broker got the requests.
    fn moment(millis: u64, what: Happening) -> Moment {
        Moment {
            at: commit().asked_at() + Duration::from_millis(millis),
            who: "consumer".to_string(),
            run: Some(1),
            what,
        }
    }

    /// A run that is started, prints, makes three requests and is killed. One check looks at all of it, another one at its beginning.
    fn recorded(undelivered: &[(u16, i32)]) -> Recorded {
        let mut recorded = Recorded::new(2);
        let seen = [
            moment(0, Happening::Deed(Deed::Started)),
            moment(1, Happening::Out("Batch".to_string())),
            moment(2000, Happening::Deed(Deed::Killed)),
            moment(2001, Happening::Deed(Deed::Ended(ExitStatus::from_raw(9)))),
        ];
        recorded.add("first", &seen);
        recorded.add("second", &seen[..2]);
        let of_kind = |kind: &str| -> Result<Vec<Logged>, ()> {
            let all = [fetch(), commit(), commit()].into_iter();
            Ok(all.filter(|logged| logged.kind() == kind).collect())
        };
        recorded.add_requests(of_kind).unwrap();
        recorded.set_undelivered(undelivered.iter().copied().collect());
        recorded
    }

    fn lines(recorded: Recorded) -> Vec<Value> {
        let text = json_lines(&[recorded]);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn each_moment_is_one_line_with_all_checks_that_saw_it() {
        let lines = lines(recorded(&[]));
        let fs: Vec<&str> = lines.iter().filter_map(|line| line["f"].as_str()).collect();
        let expected = [
            "start", "poll", "print", "poll", "commit", "commit", "commit", "commit", "kill", "end",
        ];
        assert_eq!(fs, expected);
        assert_eq!(lines[2]["checks"], json!(["first", "second"]));
        assert_eq!(lines[8]["checks"], json!(["first"]));
        let times: Vec<u64> = lines
            .iter()
            .filter_map(|line| line["time"].as_u64())
            .collect();
        assert!(times.is_sorted() && times[0] == 0, "{times:?}");
        assert_eq!(times[2], 1_000_000);
        assert!(
            lines
                .iter()
                .all(|line| line["task"] == 2 && line["run"] == 1)
        );
        assert_eq!(lines[8]["process"], "nemesis");
    }

    #[test]
    fn lanes_are_told_apart() {
        let text = json_lines(&[recorded(&[]), recorded(&[])]);
        let of_lane = |lane: &str| text.lines().filter(|line| line.contains(lane)).count();
        assert_eq!(of_lane("\"lane\":1"), of_lane("\"lane\":2"));
        assert_eq!(2 * of_lane("\"lane\":1"), text.lines().count());
    }

    #[test]
    fn a_connection_is_a_process_until_the_outcome_is_unknown() {
        let processes = |lines: &[Value]| {
            let of_clients = lines.iter().filter(|line| line["process"].is_u64());
            let in_words = of_clients.map(|line| format!("{} {}", line["process"], line["type"]));
            in_words
                .collect::<Vec<String>>()
                .join(", ")
                .replace('"', "")
        };
        // Only a part of each commit was accepted.
        assert_eq!(
            processes(&lines(recorded(&[]))),
            "0 invoke, 0 ok, 0 invoke, 0 info, 1 invoke, 1 info"
        );
        let lost = lines(recorded(&[(37570, 7)]));
        assert_eq!(
            processes(&lost),
            "0 invoke, 0 info, 1 invoke, 1 info, 2 invoke, 2 info"
        );
        assert_eq!(lost[3]["undelivered"], true);
        assert_eq!(lost[1].get("undelivered"), None);
    }
}
