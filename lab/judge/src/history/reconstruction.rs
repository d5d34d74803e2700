//! What happened, put together from its moments: the runs of each program, who owned which partition when, how far each
//! partition was read and committed, and what was sent or processed again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use crate::history::effect::Effect;
use crate::history::logged::Logged;
use crate::history::printed::position;
use crate::history::{Happening, Moment};
use crate::programs::transcript::Deed;
use cluster::TopicPartition;

/// If there are more moments than these together, the ones in the middle are left out.
const FIRST_KEPT: usize = 1_500;
const LAST_KEPT: usize = 500;

/// What happened, put together. All times are counted from the first moment.
#[derive(Debug, Default)]
pub struct Reconstruction<'a> {
    /// The moments in order. Everything else refers to them by their index.
    pub entries: Vec<Entry<'a>>,
    /// The runs of programs, in the order of their starts.
    pub runs: Vec<ProgramRun>,
    pub partitions: BTreeMap<PartitionName, PartitionHistory>,
    /// The time of the last moment.
    pub duration: Duration,
    /// How many moments in the middle were left out.
    pub left_out: usize,
}

/// A moment, with remarks that follow from the moments before it.
#[derive(Debug)]
pub struct Entry<'a> {
    pub at: Duration,
    pub moment: &'a Moment,
    remarks: Vec<String>,
}

/// One run of a program.
#[derive(Debug)]
pub struct ProgramRun {
    /// The program's name; with a number if the program ran several times.
    pub name: String,
    program: String,
    pub from: Duration,
    /// When the program ended; `None` if it was still running.
    pub to: Option<Duration>,
    pub killed: Option<Duration>,
    /// The entries of what was done to the program, what it printed, and how it joined and left groups.
    pub entries: Vec<usize>,
    /// The ids that a group's coordinator gave to this run.
    members: Vec<String>,
}

/// A partition. Its topic is not known if only a printed line names it, because such a line names no topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionName {
    topic: Option<String>,
    number: i32,
}

/// What happened to one partition.
#[derive(Debug, Default)]
pub struct PartitionHistory {
    pub owners: Vec<Ownership>,
    pub marks: Vec<Mark>,
    /// The committed offsets, and when each was committed.
    pub committed: Vec<(Duration, i64)>,
    /// The end of the records that were sent to any member so far, exclusively.
    sent: Option<i64>,
    /// The offsets that members have processed so far.
    processed: HashSet<i64>,
}

/// The time during which a member owned a partition.
#[derive(Debug)]
pub struct Ownership {
    member: String,
    /// The name that the member's client gave itself.
    pub client: String,
    /// The index of the member's run; `None` if no run fits.
    pub run: Option<usize>,
    pub from: Duration,
    /// `None` if the member still owned the partition in the end.
    pub to: Option<Duration>,
}

/// Something that happened at an offset of a partition.
#[derive(Debug)]
pub struct Mark {
    pub entry: usize,
    pub offset: i64,
    pub kind: MarkKind,
}

/// What happened at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    /// A member began to read here. The partition ended at `end`; the records before `again` had been sent before.
    Reads { end: i64, again: i64 },
    /// A member committed this offset.
    Commits,
    /// Records were written from this offset on.
    Writes,
    /// A member of a group printed this position; `again` if it was printed before.
    Processed { again: bool },
    /// A program that is in no group printed this position: the record was acknowledged.
    Delivered,
}

impl<'a> Reconstruction<'a> {
    /// Puts these moments together. They must be sorted by time.
    pub fn of(moments: &'a [Moment]) -> Self {
        let left_out = moments.len().saturating_sub(FIRST_KEPT + LAST_KEPT);
        let (first, rest) = moments.split_at(FIRST_KEPT.min(moments.len()));
        let kept = first.iter().chain(&rest[left_out..]);
        let mut builder = Builder::new(moments);
        for moment in kept {
            builder.add(moment);
        }
        builder.finish(left_out)
    }

    /// When the owner's program ended, if it still owned the partition then.
    pub fn ended_as_owner(&self, owner: &Ownership) -> Option<Duration> {
        let end = self.runs[owner.run?].to?;
        (end < owner.to.unwrap_or(self.duration)).then_some(end)
    }
}

impl Entry<'_> {
    /// What happened, in words, without a period at the end.
    pub fn in_words(&self) -> String {
        let words = self.moment.in_words();
        if self.remarks.is_empty() {
            words
        } else {
            format!("{words} ({})", self.remarks.join("; "))
        }
    }
}

impl PartitionHistory {
    /// The lowest and the highest offset at which something happened.
    pub fn offsets(&self) -> (i64, i64) {
        let marks = self.marks.iter().map(|mark| mark.offset);
        let ends = self.marks.iter().filter_map(|mark| match mark.kind {
            MarkKind::Reads { end, .. } => Some(end),
            _ => None,
        });
        let all = || marks.clone().chain(ends.clone());
        (all().min().unwrap_or(0), all().max().unwrap_or(0))
    }
}

impl From<&TopicPartition> for PartitionName {
    fn from(partition: &TopicPartition) -> Self {
        Self {
            topic: Some(partition.topic.clone()),
            number: partition.partition,
        }
    }
}

impl fmt::Display for PartitionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.topic {
            Some(topic) => write!(f, "{topic} p{}", self.number),
            None => write!(f, "partition {}", self.number),
        }
    }
}

/// Puts moments together, one after the other.
struct Builder<'a> {
    start: SystemTime,
    /// Do members read several topics? Then the number of a partition does not say which partition it is.
    several_topics: bool,
    /// The offsets in open transactions, by transactional id.
    pending: HashMap<&'a str, Vec<(&'a TopicPartition, i64)>>,
    built: Reconstruction<'a>,
}

impl<'a> Builder<'a> {
    fn new(moments: &[Moment]) -> Self {
        let first = moments.first().map(|moment| moment.at);
        Self {
            start: first.unwrap_or(SystemTime::UNIX_EPOCH),
            several_topics: topics_read(moments).len() > 1,
            pending: HashMap::new(),
            built: Reconstruction::default(),
        }
    }

    fn finish(mut self, left_out: usize) -> Reconstruction<'a> {
        self.number_runs();
        self.built.left_out = left_out;
        self.built
    }

    fn add(&mut self, moment: &'a Moment) {
        let at = self.since_start(moment.at);
        let entry = self.built.entries.len();
        self.built.duration = at;
        self.built.entries.push(Entry {
            at,
            moment,
            remarks: Vec::new(),
        });
        match &moment.what {
            Happening::Note(_) => {}
            Happening::Deed(deed) => self.deed(entry, at, &moment.who, deed),
            Happening::Out(line) => {
                self.show_with_program(entry, &moment.who);
                self.printed(entry, at, &moment.who, line);
            }
            Happening::Err(_) => self.show_with_program(entry, &moment.who),
            Happening::Request {
                effects, logged, ..
            } => {
                for effect in effects {
                    self.effect(entry, at, effect, &moment.who, logged);
                }
            }
        }
    }

    fn since_start(&self, at: SystemTime) -> Duration {
        at.duration_since(self.start).unwrap_or_default()
    }

    fn deed(&mut self, entry: usize, at: Duration, program: &str, deed: &Deed) {
        if *deed == Deed::Started {
            self.built.runs.push(ProgramRun {
                name: program.to_string(),
                program: program.to_string(),
                from: at,
                to: None,
                killed: None,
                entries: Vec::new(),
                members: Vec::new(),
            });
        }
        let Some(run) = self.latest_run(program) else {
            return;
        };
        let run = &mut self.built.runs[run];
        run.entries.push(entry);
        match deed {
            Deed::Started | Deed::Interrupted => {}
            Deed::Killed => {
                run.killed.get_or_insert(at);
                run.to.get_or_insert(at);
            }
            Deed::Ended(_) => {
                run.to.get_or_insert(at);
            }
        }
    }

    fn latest_run(&self, program: &str) -> Option<usize> {
        let mut runs = self.built.runs.iter();
        runs.rposition(|run| run.program == program)
    }

    fn show_with_program(&mut self, entry: usize, program: &str) {
        if let Some(run) = self.latest_run(program) {
            self.built.runs[run].entries.push(entry);
        }
    }

    fn show_with_member(&mut self, entry: usize, member: &str) {
        if let Some(run) = self.run_of(member) {
            self.built.runs[run].entries.push(entry);
        }
    }

    /// Marks the partition and the offset that a line names.
    fn printed(&mut self, entry: usize, at: Duration, program: &str, line: &str) {
        let (Some((number, offset)), Some(run)) = (position(line), self.latest_run(program)) else {
            return;
        };
        let is_member = !self.built.runs[run].members.is_empty();
        let partition = self.partition_printed(number, run, at);
        let history = self.built.partitions.entry(partition).or_default();
        let kind = if is_member {
            let again = !history.processed.insert(offset);
            if again {
                let remark = "this record was processed before".to_string();
                self.built.entries[entry].remarks.push(remark);
            }
            MarkKind::Processed { again }
        } else {
            MarkKind::Delivered
        };
        history.marks.push(Mark {
            entry,
            offset,
            kind,
        });
    }

    /// The partition with this number that the run owns or has just lost. If it owns none, the first known partition with this
    /// number: a producer prints partitions that it does not own.
    fn partition_printed(&self, number: i32, run: usize, at: Duration) -> PartitionName {
        let is_owned = |history: &PartitionHistory| {
            let mut owners = history.owners.iter();
            owners.any(|owner| owner.run == Some(run) && owner.to.is_none_or(|to| to >= at))
        };
        let with_number = || {
            let partitions = self.built.partitions.iter();
            partitions.filter(|(name, _)| name.number == number)
        };
        let partition = with_number()
            .find(|(_, history)| is_owned(history))
            .or_else(|| with_number().next());
        partition.map_or(
            PartitionName {
                topic: None,
                number,
            },
            |(name, _)| name.clone(),
        )
    }

    fn effect(
        &mut self,
        entry: usize,
        at: Duration,
        effect: &'a Effect,
        client: &str,
        logged: &Logged,
    ) {
        let asked_at = self.since_start(logged.asked_at());
        match effect {
            Effect::Joins { member, eager, .. } => {
                self.meet(member, asked_at);
                self.show_with_member(entry, member);
                if *eager {
                    self.disown(member, asked_at);
                }
            }
            Effect::Owns {
                member, partitions, ..
            } => {
                self.meet(member, asked_at);
                self.show_with_member(entry, member);
                self.own(member, client, partitions, at);
            }
            Effect::Leaves { member, .. } => {
                self.show_with_member(entry, member);
                self.disown(member, at);
            }
            Effect::Reads {
                partition,
                from,
                end,
            } => self.read(entry, partition, *from, *end),
            Effect::Commits {
                partition,
                offset,
                transaction,
                ..
            } => {
                self.mark(entry, partition, *offset, MarkKind::Commits);
                match transaction {
                    Some(id) => self
                        .pending
                        .entry(id.as_str())
                        .or_default()
                        .push((partition, *offset)),
                    None => self.commit(partition, *offset, at),
                }
            }
            Effect::Writes { partition, offset } => {
                self.mark(entry, partition, *offset, MarkKind::Writes);
            }
            Effect::EndsTransaction {
                transaction,
                committed,
            } => {
                let ended = self.pending.remove(transaction.as_str());
                let ended = ended.filter(|_| *committed).unwrap_or_default();
                for (partition, offset) in ended {
                    self.commit(partition, offset, at);
                }
            }
        }
    }

    fn history(&mut self, partition: &TopicPartition) -> &mut PartitionHistory {
        self.built.partitions.entry(partition.into()).or_default()
    }

    fn mark(&mut self, entry: usize, partition: &TopicPartition, offset: i64, kind: MarkKind) {
        self.history(partition).marks.push(Mark {
            entry,
            offset,
            kind,
        });
    }

    fn commit(&mut self, partition: &TopicPartition, offset: i64, at: Duration) {
        self.history(partition).committed.push((at, offset));
    }

    /// Assigns a run to a member that appears for the first time. No log says which process a member is. So the member counts as
    /// part of the last run that had not ended when the member asked to join, and that has no member yet. If all these runs have
    /// one, it counts as part of the last of them.
    fn meet(&mut self, member: &str, asked_at: Duration) {
        if self.run_of(member).is_some() {
            return;
        }
        let is_running = |run: &&mut ProgramRun| run.to.is_none_or(|to| to >= asked_at);
        let runs = self.built.runs.iter_mut().rev().filter(is_running);
        // Of runs that are equal in this, `min_by_key` takes the first, and that is the one started last.
        if let Some(run) = runs.min_by_key(|run| !run.members.is_empty()) {
            run.members.push(member.to_string());
        }
    }

    fn run_of(&self, member: &str) -> Option<usize> {
        let is_of = |run: &ProgramRun| run.members.iter().any(|known| known == member);
        self.built.runs.iter().position(is_of)
    }

    /// Ends all ownership of a member.
    fn disown(&mut self, member: &str, at: Duration) {
        let histories = self.built.partitions.values_mut();
        let owners = histories.flat_map(|history| &mut history.owners);
        for owner in owners.filter(|owner| owner.member == member) {
            owner.to.get_or_insert(at);
        }
    }

    /// Lets a member own exactly these partitions.
    fn own(&mut self, member: &str, client: &str, partitions: &[TopicPartition], at: Duration) {
        let run = self.run_of(member);
        let owned: BTreeSet<PartitionName> = partitions.iter().map(PartitionName::from).collect();
        for (partition, history) in &mut self.built.partitions {
            for owner in history.owners.iter_mut().filter(|one| one.to.is_none()) {
                // Other members lose these partitions, and this member loses all others.
                if owned.contains(partition) != (owner.member == member) {
                    owner.to = Some(at);
                }
            }
        }
        for partition in partitions {
            let owners = &mut self.history(partition).owners;
            if owners.last().is_none_or(|owner| owner.to.is_some()) {
                owners.push(Ownership {
                    member: member.to_string(),
                    client: client.to_string(),
                    run,
                    from: at,
                    to: None,
                });
            }
        }
    }

    fn read(&mut self, entry: usize, partition: &TopicPartition, from: i64, end: i64) {
        let history = self.history(partition);
        let again = history.sent.unwrap_or(from).clamp(from, end.max(from));
        history.sent = history.sent.max(Some(end));
        let committed = history.committed.last().map(|(_, offset)| *offset);
        if again > from {
            let remark = self.sent_again(partition, from..again, committed);
            self.built.entries[entry].remarks.push(remark);
        }
        self.mark(entry, partition, from, MarkKind::Reads { end, again });
    }

    /// Says that these offsets are sent again, and why a member reads from the first of them.
    fn sent_again(
        &self,
        partition: &TopicPartition,
        offsets: Range<i64>,
        committed: Option<i64>,
    ) -> String {
        let (from, last) = (offsets.start, offsets.end - 1);
        let offsets = if last == from {
            format!("offset {from}")
        } else {
            format!("offsets {from} to {last}")
        };
        let mut of = format!("partition {}", partition.partition);
        if self.several_topics {
            of += &format!(" of {}", partition.topic);
        }
        let are = if last == from { "is" } else { "are" };
        let why = match committed {
            Some(offset) if offset == from => format!("{from} is the committed offset"),
            Some(_) => format!("{from} is not the committed offset"),
            // An offset may have been committed before the first moment.
            None => "no earlier commit is shown here".to_string(),
        };
        format!("{offsets} of {of} {are} sent again: {why}")
    }

    /// Numbers the runs of each program that ran several times.
    fn number_runs(&mut self) {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for run in &self.built.runs {
            *counts.entry(run.program.clone()).or_default() += 1;
        }
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let runs = self.built.runs.iter_mut();
        for run in runs.filter(|run| counts[&run.program] > 1) {
            let number = numbers.entry(run.program.clone()).or_default();
            *number += 1;
            run.name = format!("{}, run {number}", run.program);
        }
    }
}

/// The topics that members read.
fn topics_read(moments: &[Moment]) -> BTreeSet<&str> {
    let effects = moments.iter().filter_map(|moment| match &moment.what {
        Happening::Request { effects, .. } => Some(effects),
        _ => None,
    });
    let topics = effects.flatten().filter_map(|effect| match effect {
        Effect::Reads { partition, .. } => Some(partition.topic.as_str()),
        _ => None,
    });
    topics.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    /// A moment so many milliseconds after the first.
    fn moment(millis: u64, who: &str, what: Happening) -> Moment {
        Moment {
            at: SystemTime::UNIX_EPOCH + Duration::from_millis(millis),
            who: who.to_string(),
            run: None,
            what,
        }
    }

    fn deed(millis: u64, deed: Deed) -> Moment {
        moment(millis, "consumer", Happening::Deed(deed))
    }

    fn printed(millis: u64, line: &str) -> Moment {
        moment(millis, "consumer", Happening::Out(line.to_string()))
    }

    /// A request that was answered at once.
    fn request(millis: u64, effect: Effect) -> Moment {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        let what = Happening::Request {
            sentence: "did something".to_string(),
            effects: vec![effect],
            logged: Logged::new(at, Arc::new(json!({}))),
        };
        moment(millis, "rdkafka", what)
    }

    fn partition(topic: &str, partition: i32) -> TopicPartition {
        let topic = topic.to_string();
        TopicPartition { topic, partition }
    }

    fn joins(member: &str, eager: bool) -> Effect {
        Effect::Joins {
            group: "group".to_string(),
            member: member.to_string(),
            eager,
        }
    }

    fn owns(member: &str, partitions: &[TopicPartition]) -> Effect {
        Effect::Owns {
            group: "group".to_string(),
            member: member.to_string(),
            partitions: partitions.to_vec(),
        }
    }

    fn reads(partition: TopicPartition, from: i64, end: i64) -> Effect {
        Effect::Reads {
            partition,
            from,
            end,
        }
    }

    fn commits(partition: TopicPartition, offset: i64, transaction: Option<&str>) -> Effect {
        Effect::Commits {
            group: "group".to_string(),
            partition,
            offset,
            transaction: transaction.map(ToString::to_string),
        }
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_killed_run_owns_its_partition_until_the_next_run_is_assigned_it() {
        let p0 = partition("clickstream", 0);
        let moments = [
            deed(0, Deed::Started),
            request(10, joins("first", true)),
            request(20, owns("first", std::slice::from_ref(&p0))),
            request(30, reads(p0.clone(), 0, 10)),
            printed(40, "partition=0 offset=0"),
            request(45, commits(p0.clone(), 1, None)),
            deed(50, Deed::Killed),
            deed(60, Deed::Started),
            request(70, joins("second", true)),
            request(200, owns("second", std::slice::from_ref(&p0))),
            request(210, reads(p0.clone(), 1, 10)),
            printed(220, "partition=0 offset=0"),
        ];
        let seen = Reconstruction::of(&moments);
        let names: Vec<&str> = seen.runs.iter().map(|run| run.name.as_str()).collect();
        assert_eq!(names, ["consumer, run 1", "consumer, run 2"]);
        let (name, history) = seen.partitions.first_key_value().unwrap();
        assert_eq!(name.to_string(), "clickstream p0");
        let [first, second] = &history.owners[..] else {
            panic!("{:?}", history.owners);
        };
        assert_eq!((first.run, first.to), (Some(0), Some(millis(200))));
        assert_eq!(seen.ended_as_owner(first), Some(millis(50)));
        assert_eq!((second.run, second.to), (Some(1), None));
        assert_eq!(seen.ended_as_owner(second), None);
        assert_eq!(
            seen.entries[10].in_words(),
            "rdkafka did something (offsets 1 to 9 of partition 0 are sent again: 1 is the committed offset)"
        );
        assert_eq!(
            seen.entries[11].in_words(),
            "consumer printed: partition=0 offset=0 (this record was processed before)"
        );
    }

    #[test]
    fn an_eager_member_owns_nothing_while_it_joins_again() {
        let p0 = partition("clickstream", 0);
        let owners = |eager| {
            let moments = [
                deed(0, Deed::Started),
                request(10, owns("first", std::slice::from_ref(&p0))),
                request(20, joins("first", eager)),
                request(30, owns("first", std::slice::from_ref(&p0))),
            ];
            let seen = Reconstruction::of(&moments);
            let (_, history) = seen.partitions.first_key_value().unwrap();
            let owners = history.owners.iter();
            owners.map(|owner| owner.to).collect::<Vec<_>>()
        };
        assert_eq!(owners(true), [Some(millis(20)), None]);
        assert_eq!(owners(false), [None]);
    }

    #[test]
    fn offsets_in_a_transaction_count_once_it_is_committed() {
        let p0 = partition("clickstream", 0);
        let ends = |committed| Effect::EndsTransaction {
            transaction: "id".to_string(),
            committed,
        };
        let moments = [
            request(0, commits(p0.clone(), 5, Some("id"))),
            request(10, ends(false)),
            request(20, commits(p0.clone(), 7, Some("id"))),
            request(30, ends(true)),
            request(40, ends(true)),
        ];
        let seen = Reconstruction::of(&moments);
        let (_, history) = seen.partitions.first_key_value().unwrap();
        assert_eq!(history.committed, [(millis(30), 7)]);
        assert_eq!(history.marks.len(), 2);
    }

    #[test]
    fn a_partition_is_named_with_its_topic_if_there_are_several() {
        let moments = [
            request(0, reads(partition("payments", 1), 0, 3)),
            request(10, reads(partition("clickstream", 1), 0, 3)),
            request(20, reads(partition("payments", 1), 2, 3)),
        ];
        let seen = Reconstruction::of(&moments);
        assert_eq!(
            seen.entries[2].in_words(),
            "rdkafka did something (offset 2 of partition 1 of payments is sent again: \
             no earlier commit is shown here)"
        );
    }

    #[test]
    fn a_printed_line_names_a_partition_without_a_topic() {
        let moments = [
            deed(0, Deed::Started),
            printed(10, "partition=2 offset=7"),
            printed(20, "partition=2 offset=8"),
        ];
        let seen = Reconstruction::of(&moments);
        let (name, history) = seen.partitions.first_key_value().unwrap();
        assert_eq!(name.to_string(), "partition 2");
        let mut kinds = history.marks.iter().map(|mark| mark.kind);
        assert!(kinds.all(|kind| kind == MarkKind::Delivered));
        assert_eq!(history.offsets(), (7, 8));
    }

    #[test]
    fn the_middle_of_a_long_history_is_left_out() {
        let moments: Vec<Moment> = (0..2_100).map(|at| printed(at, "a line")).collect();
        let seen = Reconstruction::of(&moments);
        assert_eq!((seen.entries.len(), seen.left_out), (2_000, 100));
        assert_eq!(seen.entries[1_499].at, millis(1_499));
        assert_eq!(seen.entries[1_500].at, millis(1_600));
        assert_eq!(seen.duration, millis(2_099));
    }
}
