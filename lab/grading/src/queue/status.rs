//! How far the classes on a cluster are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use cluster::{printable, table};
use judge::Outcome;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::queue::connection::{Connection, REACH_LIMIT};
use crate::queue::message::Job;
use crate::queue::notes::{Known, Notes};
use crate::queue::topics::{GROUPS, are_there};

/// What is known about the classes and the workers. Display it to get the text.
#[derive(Default)]
pub struct Status {
    jobs: Vec<(Job, Known)>,
    /// The names of the workers, by group.
    workers: BTreeMap<String, Vec<String>>,
}

impl Status {
    /// The status of this cluster now.
    ///
    /// # Errors
    /// When Kafka does not answer, and on Ctrl-C.
    pub fn of(connection: &Connection) -> Result<Self> {
        let mut config = connection.config("lab-status");
        let client: BaseConsumer = config
            .set("group.id", format!("{GROUPS}-status"))
            .create()?;
        if !are_there(client.client(), connection)? {
            return Ok(Self::default());
        }
        let mut notes = Notes::open(connection)?;
        notes.catch_up()?;
        let mut workers = BTreeMap::new();
        for group in client.fetch_group_list(None, REACH_LIMIT)?.groups() {
            if group.name().starts_with(GROUPS) && !group.members().is_empty() {
                let names = group.members().iter();
                let names = names.map(|member| member.client_id().to_string()).collect();
                workers.insert(group.name().to_string(), names);
            }
        }
        let jobs = notes.jobs.into_iter().collect();
        Ok(Self { jobs, workers })
    }
}

/// The submissions of one class.
#[derive(Default)]
struct Counted<'a> {
    waiting: usize,
    /// What is being judged, by which worker, and since when.
    running: Vec<(&'a Job, &'a str, SystemTime)>,
    done: usize,
    not_judged: usize,
    seconds: f64,
}

impl Counted<'_> {
    /// The mean time of those that are done, in seconds.
    fn each(&self) -> Option<f64> {
        (self.done > 0).then(|| self.seconds / f64::from(u32::try_from(self.done).unwrap_or(1)))
    }

    /// How long the rest takes, if as many are judged at a time as now.
    fn rest(&self) -> Option<Duration> {
        let left = u32::try_from(self.waiting + self.running.len()).ok()?;
        let at_a_time = u32::try_from(self.running.len())
            .ok()
            .filter(|count| *count > 0)?;
        let seconds = self.each()? * f64::from(left) / f64::from(at_a_time);
        Duration::try_from_secs_f64(seconds).ok()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut classes: BTreeMap<&str, Counted> = BTreeMap::new();
        for (job, known) in &self.jobs {
            let class = classes.entry(&job.run).or_default();
            let began = known.open.values().max_by_key(|(_, at)| *at);
            match (known.done, began) {
                (Some(done), _) => {
                    class.done += 1;
                    class.not_judged += usize::from(done.outcome == Outcome::NotJudged);
                    class.seconds += done.seconds;
                }
                (None, Some((who, at))) => class.running.push((job, who, *at)),
                (None, None) => class.waiting += 1,
            }
        }
        if classes.is_empty() {
            writeln!(f, "No class has been published here yet.")?;
        } else {
            let rows = classes.iter().map(|(run, class)| {
                let left = class.waiting + class.running.len();
                [
                    printable(run),
                    class.waiting.to_string(),
                    class.running.len().to_string(),
                    class.done.to_string(),
                    class.not_judged.to_string(),
                    class
                        .each()
                        .map_or_else(|| "-".to_string(), |each| format!("{each:.1}")),
                    match class.rest() {
                        _ if left == 0 => "done".to_string(),
                        Some(rest) => format!("in about {} min", rest.as_secs().div_ceil(60)),
                        None => "not known yet".to_string(),
                    },
                ]
            });
            let columns = [
                "class",
                "waiting",
                "running",
                "done",
                "not judged",
                "seconds each",
                "will be done",
            ];
            writeln!(f, "{}", table(&columns, &[1, 2, 3, 4, 5], rows))?;
        }
        let now = SystemTime::now();
        let running = classes.values().flat_map(|class| &class.running);
        for (job, who, at) in running {
            let seconds = now.duration_since(*at).unwrap_or_default().as_secs();
            writeln!(
                f,
                "running for {seconds} s on {}: {}",
                printable(who),
                printable(&job.submission)
            )?;
        }
        if self.workers.is_empty() {
            writeln!(
                f,
                "No workers. Those that wait for the first class are not shown."
            )?;
        }
        for (group, names) in &self.workers {
            let names: BTreeSet<String> = names.iter().map(|name| printable(name)).collect();
            let names: Vec<String> = names.into_iter().collect();
            let noun = if names.len() == 1 {
                "worker"
            } else {
                "workers"
            };
            writeln!(
                f,
                "{} {noun} in group {group}: {}",
                names.len(),
                names.join(", ")
            )?;
        }
        Ok(())
    }
}
