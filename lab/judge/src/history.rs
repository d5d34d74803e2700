//! What happened while a submission was judged. Four sources are put on one clock: what was done to the programs, what they
//! printed, what the broker answered them, and what we did in the meantime.
//!
//! - [`logged`] reads an entry of the broker's request log; [`printed`] reads a line that a program printed.
//! - [`effect`] says what a request did to partitions; [`sentence`] says in words what the client did with it.
//! - [`wording`] says any moment in words, and [`timeline`] makes a table of moments for a terminal.
//! - [`operation`] says what a request was in the words of Jepsen's tests; [`recorded`] writes all of it as JSON Lines.
//! - [`reconstruction`] puts moments together: runs of programs, owners of partitions, what was sent or processed again.

pub mod effect;
pub mod logged;
pub mod operation;
pub mod printed;
pub mod reconstruction;
pub mod recorded;
pub mod sentence;
pub mod timeline;
mod wording;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::{Instant, SystemTime};

use crate::history::effect::{Effect, TopicIds, effects};
use crate::history::logged::Logged;
use crate::history::sentence::{REMOVED, sentence};
use crate::programs::transcript::{Deed, Transcript};
use cluster::OBSERVER;

/// The listener through which the broker talks to itself.
const CONTROLLER_LISTENER: &str = "CONTROLLER";

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Moment {
    pub at: SystemTime,
    /// The name of a program; for a request, the client's name for itself; for a note, empty.
    pub who: String,
    /// Which run of the program it was: the first run has the number 1. `None` for requests and notes, because no log says in
    /// which process a client is.
    pub run: Option<usize>,
    pub what: Happening,
}

/// What happened at a moment.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A program was started or stopped, or it ended.
    Deed(Deed),
    /// The program printed this line on standard output.
    Out(String),
    /// The program printed this line on standard error.
    Err(String),
    /// The broker answered a request.
    Request {
        /// What the client did, in words, without the client's name.
        sentence: String,
        effects: Vec<Effect>,
        logged: Logged,
    },
    /// We did something, such as publishing events or holding back requests.
    Note(String),
}

/// What happened on one lane or stage, apart from the broker's request log: the runs of programs, and our notes.
#[derive(Debug, Default)]
pub struct History {
    transcripts: RefCell<Vec<Transcript>>,
    notes: RefCell<Vec<(Instant, String)>>,
}

impl History {
    /// Adds the run of a program that was started. Its transcript grows while the program runs.
    pub fn add(&self, transcript: Transcript) {
        self.transcripts.borrow_mut().push(transcript);
    }

    /// Notes that we do something now that a reader should know.
    pub fn note(&self, text: impl Into<String>) {
        self.notes.borrow_mut().push((Instant::now(), text.into()));
    }

    /// Everything that happened in these stretches of time, in order.
    pub fn between(&self, requests: &[Logged], stretches: &[(Instant, Instant)]) -> Vec<Moment> {
        let stretches: Vec<_> = stretches
            .iter()
            .map(|(from, to)| (wall_clock(*from), wall_clock(*to)))
            .collect();
        let is_within = |at: SystemTime| {
            let mut stretches = stretches.iter();
            stretches.any(|(from, to)| (*from..=*to).contains(&at))
        };
        let mut moments = self.own_moments(is_within);
        moments.extend(moments_of_requests(requests, is_within));
        moments.sort_by_key(|moment| moment.at);
        moments
    }

    /// The notes, the deeds and the printed lines at the times for which `is_within` holds.
    fn own_moments(&self, is_within: impl Fn(SystemTime) -> bool) -> Vec<Moment> {
        let mut moments = Vec::new();
        let mut add = |at: Instant, who: &str, run: Option<usize>, what: Happening| {
            let (at, who) = (wall_clock(at), who.to_string());
            if is_within(at) {
                moments.push(Moment { at, who, run, what });
            }
        };
        for (at, note) in &*self.notes.borrow() {
            add(*at, "", None, Happening::Note(note.clone()));
        }
        let mut runs: BTreeMap<String, usize> = BTreeMap::new();
        for transcript in &*self.transcripts.borrow() {
            let name = &transcript.name;
            let run = runs.entry(name.clone()).or_default();
            *run += 1;
            let run = Some(*run);
            for (at, deed) in transcript.deeds() {
                add(at, name, run, Happening::Deed(deed));
            }
            for line in transcript.out() {
                add(line.at, name, run, Happening::Out(line.text));
            }
            for line in transcript.err() {
                add(line.at, name, run, Happening::Err(line.text));
            }
        }
        moments
    }
}

/// When a request counts as made. A fetch may wait for records long after it was sent, so it counts when the broker got it.
/// Every other request counts when it is answered.
fn time_of(logged: &Logged) -> SystemTime {
    if logged.kind() == "FETCH" {
        logged.asked_at()
    } else {
        logged.answered_at()
    }
}

/// The time of day of an instant. Equal instants always have equal times.
fn wall_clock(at: Instant) -> SystemTime {
    static BOTH_CLOCKS: OnceLock<(Instant, SystemTime)> = OnceLock::new();
    let (instant, time) = *BOTH_CLOCKS.get_or_init(|| (Instant::now(), SystemTime::now()));
    time + at.saturating_duration_since(instant) - instant.saturating_duration_since(at)
}

/// The moments of requests by programs at the times for which `is_within` holds. Of a connection's fetches, only those count
/// that read a partition for the first time.
fn moments_of_requests(requests: &[Logged], is_within: impl Fn(SystemTime) -> bool) -> Vec<Moment> {
    let mut begun = BegunPartitions::default();
    let mut topics = TopicIds::default();
    let mut moments = Vec::new();
    for logged in requests {
        topics.learn(logged);
        let removed = removed_client(logged);
        let at = time_of(logged);
        if !(is_of_program(logged) || removed.is_some()) || !is_within(at) {
            continue;
        }
        if logged.kind() == "FETCH" && !begun.add(logged) {
            continue;
        }
        let Some(mut sentence) = sentence(logged) else {
            continue;
        };
        if removed.is_some() {
            sentence = REMOVED.to_string();
        }
        let client = removed.or_else(|| logged.client_id());
        moments.push(Moment {
            at,
            who: client.unwrap_or("?").to_string(),
            run: None,
            what: Happening::Request {
                sentence,
                effects: effects(logged, &topics),
                logged: logged.clone(),
            },
        });
    }
    number_namesakes(&mut moments);
    moments
}

/// The name of the client whose member we remove with this request. librdkafka's member ids are the client's name, a hyphen and
/// a UUID.
fn removed_client(logged: &Logged) -> Option<&str> {
    const HYPHEN_AND_UUID: usize = 37;
    if logged.kind() != "LEAVE_GROUP" || is_of_program(logged) {
        return None;
    }
    let id = logged.member_id()?;
    let name = id.get(..id.len().saturating_sub(HYPHEN_AND_UUID));
    Some(name.unwrap_or(id))
}

/// Did a program send it, and not we or the broker itself? Everything that came through the gate is of a program, whatever the
/// program's client is called.
fn is_of_program(logged: &Logged) -> bool {
    logged.came_through_gate()
        || (logged.listener() != CONTROLLER_LISTENER && logged.client_id() != Some(OBSERVER))
}

/// For each connection, the partitions that it has fetched from: the topic's name or id, and the number.
#[derive(Debug, Default)]
struct BegunPartitions(BTreeMap<String, BTreeSet<(String, i32)>>);

impl BegunPartitions {
    /// Adds the partitions of a fetch. Returns whether any of them is new on its connection.
    fn add(&mut self, logged: &Logged) -> bool {
        let begun = self.0.entry(logged.connection().to_string()).or_default();
        let before = begun.len();
        begun.extend(
            logged
                .fetched()
                .map(|one| (one.topic.as_str().to_string(), one.partition)),
        );
        begun.len() > before
    }
}

/// Gives numbers to clients with the same `client.id` that are members of a group at the same time: `rdkafka`, `rdkafka·2`.
fn number_namesakes(moments: &mut [Moment]) {
    let mut members: BTreeMap<String, Vec<KnownMember>> = BTreeMap::new();
    for moment in &mut *moments {
        let Some(id) = member_id(&moment.what) else {
            continue;
        };
        let known = members.entry(moment.who.clone()).or_default();
        match known.iter_mut().find(|member| member.id == id) {
            Some(member) => member.last = moment.at,
            None => known.push(KnownMember {
                id: id.to_string(),
                first: moment.at,
                last: moment.at,
            }),
        }
    }
    for moment in moments {
        let Some(id) = member_id(&moment.what) else {
            continue;
        };
        let known = &members[&moment.who];
        let Some(at) = known.iter().position(|member| member.id == id) else {
            continue;
        };
        let beside = known[..at]
            .iter()
            .filter(|member| member.last >= known[at].first)
            .count();
        if beside > 0 {
            moment.who += &format!("·{}", beside + 1);
        }
    }
}

/// A member of a group, with the times of its first and its last request.
struct KnownMember {
    id: String,
    first: SystemTime,
    last: SystemTime,
}

fn member_id(what: &Happening) -> Option<&str> {
    match what {
        Happening::Request { logged, .. } => logged.member_id(),
        _ => None,
    }
}
