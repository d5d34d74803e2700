//! What happened while a submission was judged: what was done to its programs, what they printed, what the broker
//! answered them, and what we did meanwhile. Four sources, one clock.

pub mod effect;
pub mod printed;
pub mod sentence;
pub mod timeline;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use broker::Request;
use serde_json::Value;

use crate::history::effect::{Effect, TopicIds, effects, member_id};
use crate::history::sentence::{api, partitions_of, sentence};
use crate::programs::run::{Deed, Transcript};
use cluster::OBSERVER;

/// The listener of the broker that programs come through, and nobody else.
pub const PROGRAMS_LISTENER: &str = "GATE";

/// The listener by which a broker talks to itself.
const CONTROLLER_LISTENER: &str = "CONTROLLER";

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Moment {
    pub at: SystemTime,
    /// A program's name; for a request, the client as it calls itself.
    pub who: String,
    pub what: What,
}

/// What it was.
#[derive(Clone, Debug)]
pub enum What {
    /// A program was started or stopped, or ended.
    Deed(Deed),
    /// A line on standard output.
    Out(String),
    /// A line on standard error.
    Err(String),
    /// The broker answered a request: in a sentence, by what it did, and as it was logged.
    Request {
        said: String,
        effects: Vec<Effect>,
        logged: Arc<Value>,
    },
    /// We did something: published events, held requests back.
    Note(String),
}

/// The notes of one lane, and whose runs it saw.
#[derive(Debug, Default)]
pub struct History {
    transcripts: RefCell<Vec<Transcript>>,
    notes: RefCell<Vec<(Instant, String)>>,
}

impl History {
    /// A program was started.
    pub fn add(&self, transcript: Transcript) {
        self.transcripts.borrow_mut().push(transcript);
    }

    /// We did something that a reader should know.
    pub fn note(&self, text: impl Into<String>) {
        self.notes.borrow_mut().push((Instant::now(), text.into()));
    }

    /// All that happened in these stretches of time, in its order.
    pub fn between(&self, requests: &[Request], stretches: &[(Instant, Instant)]) -> Vec<Moment> {
        let mut moments = Vec::new();
        let mut add = |at: Instant, who: &str, what: What| {
            if stretches
                .iter()
                .any(|(from, to)| (*from..=*to).contains(&at))
            {
                let (at, who) = (wall_clock(at), who.to_string());
                moments.push(Moment { at, who, what });
            }
        };
        for (at, note) in &*self.notes.borrow() {
            add(*at, "", What::Note(note.clone()));
        }
        for run in &*self.transcripts.borrow() {
            for (at, deed) in run.deeds() {
                add(at, &run.name, What::Deed(deed));
            }
            for line in run.out() {
                add(line.at, &run.name, What::Out(line.text));
            }
            for line in run.err() {
                add(line.at, &run.name, What::Err(line.text));
            }
        }
        let stretches: Vec<_> = stretches
            .iter()
            .map(|(from, to)| (wall_clock(*from), wall_clock(*to)))
            .collect();
        moments.extend(told(requests, |at| {
            stretches
                .iter()
                .any(|(from, to)| (*from..=*to).contains(&at))
        }));
        moments.sort_by_key(|moment| moment.at);
        moments
    }
}

/// When it came to the broker.
pub fn asked_at(request: &Request) -> SystemTime {
    let millis = request.logged["totalTimeMs"].as_f64().unwrap_or_default();
    request.at - Duration::from_secs_f64(millis / 1000.0)
}

/// A fetch waits for something to come, and may be answered long after it was asked; all others count when they are done.
fn begun_at(request: &Request) -> SystemTime {
    if api(&request.logged) == "FETCH" {
        asked_at(request)
    } else {
        request.at
    }
}

/// The same instant is always the same time of day.
fn wall_clock(at: Instant) -> SystemTime {
    static BOTH_CLOCKS: OnceLock<(Instant, SystemTime)> = OnceLock::new();
    let (instant, time) = *BOTH_CLOCKS.get_or_init(|| (Instant::now(), SystemTime::now()));
    time + at.saturating_duration_since(instant) - instant.saturating_duration_since(at)
}

/// The requests of programs, made when `when` holds, that tell something: of a connection's fetches, where each partition is
/// begun.
fn told(requests: &[Request], when: impl Fn(SystemTime) -> bool) -> Vec<Moment> {
    let mut begun: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut topics = TopicIds::default();
    let mut moments = Vec::new();
    for request in requests {
        let logged = &request.logged;
        topics.learn(logged);
        let removed = removed(logged);
        if !(is_of_program(logged) || removed.is_some()) || !when(begun_at(request)) {
            continue;
        }
        if api(logged) == "FETCH" && !begins(&mut begun, logged) {
            continue;
        }
        let Some(mut said) = sentence(logged) else {
            continue;
        };
        if removed.is_some() {
            said = "is removed from the group, so that nobody waits for its session to time out"
                .to_string();
        }
        let client = removed.or_else(|| logged["requestHeader"]["clientId"].as_str());
        moments.push(Moment {
            at: begun_at(request),
            who: client.unwrap_or("?").to_string(),
            what: What::Request {
                said,
                effects: effects(logged, &topics),
                logged: Arc::clone(logged),
            },
        });
    }
    tell_members_apart(&mut moments);
    moments
}

/// The client whose member we remove by this request. librdkafka's member ids are the client's name, a hyphen and a UUID.
fn removed(logged: &Value) -> Option<&str> {
    const HYPHEN_AND_UUID: usize = 37;
    if api(logged) != "LEAVE_GROUP" || is_of_program(logged) {
        return None;
    }
    let id = member_id(logged)?;
    Some(
        id.get(..id.len().saturating_sub(HYPHEN_AND_UUID))
            .unwrap_or(id),
    )
}

/// Neither ours nor the broker's own. Whoever is judged comes through the gate, whatever it calls itself.
fn is_of_program(logged: &Value) -> bool {
    let listener = &logged["listener"];
    let client = &logged["requestHeader"]["clientId"];
    listener == PROGRAMS_LISTENER || (listener != CONTROLLER_LISTENER && client != OBSERVER)
}

/// Does this fetch read a partition that its connection has not read before?
fn begins(begun: &mut BTreeMap<String, Vec<Value>>, logged: &Value) -> bool {
    let connection = logged["connection"].to_string();
    let known = begun.entry(connection).or_default();
    let partitions = partitions_of(&logged["request"]["topics"], "partitions");
    let mut new = false;
    for partition in partitions.map(|partition| &partition["partition"]) {
        if !known.contains(partition) {
            known.push(partition.clone());
            new = true;
        }
    }
    new
}

/// Clients by their `client.id`. Members of the same name that are in a group at the same time are told apart: `rdkafka`,
/// `rdkafka·2`.
fn tell_members_apart(moments: &mut [Moment]) {
    let mut members: BTreeMap<String, Vec<Member>> = BTreeMap::new();
    for moment in &mut *moments {
        let Some(id) = id_of(&moment.what) else {
            continue;
        };
        let known = members.entry(moment.who.clone()).or_default();
        match known.iter_mut().find(|member| member.id == id) {
            Some(member) => member.last = moment.at,
            None => known.push(Member {
                id: id.to_string(),
                first: moment.at,
                last: moment.at,
            }),
        }
    }
    for moment in moments {
        let Some(id) = id_of(&moment.what) else {
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

/// A member of a group, and when it was first and last heard of.
struct Member {
    id: String,
    first: SystemTime,
    last: SystemTime,
}

fn id_of(what: &What) -> Option<&str> {
    match what {
        What::Request { logged, .. } => member_id(logged),
        _ => None,
    }
}
