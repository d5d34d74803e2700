//! What happened, by program and by partition: the runs, who owned what when, how far each partition was read and committed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::SystemTime;

use cluster::TopicPartition;
use judge::{Deed, Effect, Moment, What, position};

/// More moments than these are cut in the middle: the first and the last so many are kept.
const FIRST_KEPT: usize = 1_500;
const LAST_KEPT: usize = 500;

/// A history, sorted.
#[derive(Debug, Default)]
pub struct Record<'a> {
    /// The moments, in their order; marks refer to them by their place.
    pub rows: Vec<Row<'a>>,
    pub runs: Vec<Run>,
    pub tracks: BTreeMap<TopicPartition, Track>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How many moments were left out in the middle.
    pub left_out: usize,
}

/// One moment, and what is to be said of it besides.
#[derive(Debug)]
pub struct Row<'a> {
    /// Seconds since the first moment.
    pub at: f64,
    pub moment: &'a Moment,
    /// What only a look at the whole shows.
    pub remark: String,
}

/// One run of a program.
#[derive(Debug)]
pub struct Run {
    /// The program's name; where it ran more than once, with a number.
    pub name: String,
    program: String,
    pub from: f64,
    pub to: Option<f64>,
    pub killed: Option<f64>,
    /// What is shown beside its bar: the places of rows.
    pub rows: Vec<usize>,
    members: Vec<String>,
}

/// One partition.
#[derive(Debug, Default)]
pub struct Track {
    pub owners: Vec<Ownership>,
    pub marks: Vec<Mark>,
    /// Where the group would go on, from when: seconds and offsets.
    pub committed: Vec<(f64, i64)>,
    /// The end of what was sent to anyone so far, exclusively.
    sent: Option<i64>,
    processed: HashSet<i64>,
}

/// Who owned a partition from when to when.
#[derive(Debug)]
pub struct Ownership {
    member: String,
    pub who: String,
    /// Its run's place among the runs, if it can be told.
    pub run: Option<usize>,
    pub from: f64,
    pub to: Option<f64>,
}

/// Something at a partition and an offset.
#[derive(Debug)]
pub struct Mark {
    pub row: usize,
    pub offset: i64,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A member began to read here; there was something up to `end`, and what lies before `again` had been sent before.
    Reads {
        end: i64,
        again: i64,
    },
    Commits,
    Writes,
    /// A program printed this position.
    Processed {
        again: bool,
    },
    /// A producer printed that this was acknowledged.
    Delivered,
}

impl<'a> Record<'a> {
    /// Sorts a history.
    pub fn of(moments: &'a [Moment]) -> Self {
        let mut record = Self::default();
        let Some(first) = moments.first() else {
            return record;
        };
        record.left_out = moments.len().saturating_sub(FIRST_KEPT + LAST_KEPT);
        let cut = FIRST_KEPT..FIRST_KEPT + record.left_out;
        let mut pending = HashMap::new();
        for (at, moment) in moments.iter().enumerate() {
            let seconds = since(first.at, moment.at);
            record.seconds = record.seconds.max(seconds);
            if record.left_out > 0 && cut.contains(&at) {
                continue;
            }
            record.rows.push(Row {
                at: seconds,
                moment,
                remark: String::new(),
            });
            record.sort(seconds, moment, &mut pending);
        }
        record.number_runs();
        record
    }

    /// Did this member end before it lost the partition?
    pub fn is_dead(&self, owner: &Ownership) -> bool {
        let end = owner.run.and_then(|run| self.runs[run].to);
        end.is_some_and(|end| end < owner.to.unwrap_or(self.seconds))
    }

    fn sort(
        &mut self,
        at: f64,
        moment: &'a Moment,
        pending: &mut HashMap<&'a str, Vec<(&'a TopicPartition, i64)>>,
    ) {
        let row = self.rows.len() - 1;
        match &moment.what {
            What::Note(_) => {}
            What::Deed(deed) => self.deed(row, at, &moment.who, deed),
            What::Out(line) => {
                self.beside_run(row, &moment.who);
                self.printed(row, at, &moment.who, line);
            }
            What::Err(_) => self.beside_run(row, &moment.who),
            What::Request {
                effects, logged, ..
            } => {
                let asked = logged["totalTimeMs"].as_f64().unwrap_or_default() / 1000.0;
                for effect in effects {
                    self.effect(row, at, asked, effect, &moment.who, pending);
                }
            }
        }
    }

    fn deed(&mut self, row: usize, at: f64, program: &str, deed: &Deed) {
        if *deed == Deed::Started {
            self.runs.push(Run {
                name: program.to_string(),
                program: program.to_string(),
                from: at,
                to: None,
                killed: None,
                rows: Vec::new(),
                members: Vec::new(),
            });
        }
        self.beside_run(row, program);
        let Some(run) = self.latest(program) else {
            return;
        };
        let run = &mut self.runs[run];
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

    fn latest(&self, program: &str) -> Option<usize> {
        self.runs.iter().rposition(|run| run.program == program)
    }

    fn beside_run(&mut self, row: usize, program: &str) {
        if let Some(run) = self.latest(program) {
            self.runs[run].rows.push(row);
        }
    }

    /// A line that names a partition and an offset.
    fn printed(&mut self, row: usize, at: f64, program: &str, line: &str) {
        let (Some((number, offset)), Some(run)) = (position(line), self.latest(program)) else {
            return;
        };
        let is_member = !self.runs[run].members.is_empty();
        let owned = |track: &Track| {
            let mut owners = track.owners.iter();
            owners.any(|owner| owner.run == Some(run) && owner.to.is_none_or(|to| to >= at))
        };
        let of_number = || {
            self.tracks
                .iter()
                .filter(|(key, _)| key.partition == number)
        };
        let partition = of_number()
            .find(|(_, track)| owned(track))
            .or_else(|| of_number().next())
            .map(|(partition, _)| partition.clone());
        // Without a request log nobody has told the topic.
        let partition = partition.unwrap_or_else(|| TopicPartition {
            topic: "partition".to_string(),
            partition: number,
        });
        let track = self.tracks.entry(partition).or_default();
        let kind = if is_member {
            let again = !track.processed.insert(offset);
            if again {
                self.rows[row].remark = "It was processed before.".to_string();
            }
            Kind::Processed { again }
        } else {
            Kind::Delivered
        };
        track.marks.push(Mark { row, offset, kind });
    }

    fn effect(
        &mut self,
        row: usize,
        at: f64,
        asked: f64,
        effect: &'a Effect,
        who: &'a str,
        pending: &mut HashMap<&'a str, Vec<(&'a TopicPartition, i64)>>,
    ) {
        match effect {
            Effect::Joins { member, eager, .. } => {
                self.know(member, at - asked);
                self.show_beside(row, member);
                if *eager {
                    self.close(member, (at - asked).max(0.0));
                }
            }
            Effect::Owns {
                member, partitions, ..
            } => {
                self.know(member, at - asked);
                self.show_beside(row, member);
                self.own(member, who, partitions, at);
            }
            Effect::Leaves { member, .. } => {
                self.show_beside(row, member);
                self.close(member, at);
            }
            Effect::Reads {
                partition,
                from,
                end,
            } => self.reads(row, at, partition, *from, *end),
            Effect::Commits {
                partition,
                offset,
                transaction,
                ..
            } => {
                let track = self.tracks.entry(partition.clone()).or_default();
                track.marks.push(Mark {
                    row,
                    offset: *offset,
                    kind: Kind::Commits,
                });
                match transaction {
                    Some(id) => pending
                        .entry(id.as_str())
                        .or_default()
                        .push((partition, *offset)),
                    None => track.committed.push((at, *offset)),
                }
            }
            Effect::Writes { partition, offset } => {
                let track = self.tracks.entry(partition.clone()).or_default();
                track.marks.push(Mark {
                    row,
                    offset: *offset,
                    kind: Kind::Writes,
                });
            }
            Effect::EndsTransaction {
                transaction,
                committed,
            } => {
                let ended = pending.remove(transaction.as_str());
                for (partition, offset) in ended.unwrap_or_default() {
                    if *committed && let Some(track) = self.tracks.get_mut(partition) {
                        track.committed.push((at, offset));
                    }
                }
            }
        }
    }

    /// A member that is new belongs to the run that was started last and has none yet.
    fn know(&mut self, member: &str, at: f64) {
        if self.run_of(member).is_some() {
            return;
        }
        let lived =
            |run: &&mut Run| run.from <= at.max(run.from) && run.to.is_none_or(|to| to >= at);
        let mut runs = self.runs.iter_mut().rev().filter(lived);
        if let Some(run) = runs.find(|run| run.members.is_empty()) {
            run.members.push(member.to_string());
        } else if let Some(run) = self.runs.iter_mut().rev().find(lived) {
            run.members.push(member.to_string());
        }
    }

    fn run_of(&self, member: &str) -> Option<usize> {
        let is_of = |run: &Run| run.members.iter().any(|known| known == member);
        self.runs.iter().position(is_of)
    }

    fn show_beside(&mut self, row: usize, member: &str) {
        if let Some(run) = self.run_of(member) {
            self.runs[run].rows.push(row);
        }
    }

    fn close(&mut self, member: &str, at: f64) {
        let owners = self.tracks.values_mut().flat_map(|track| &mut track.owners);
        for owner in owners.filter(|owner| owner.member == member) {
            owner.to.get_or_insert(at);
        }
    }

    fn own(&mut self, member: &str, who: &str, partitions: &[TopicPartition], at: f64) {
        let run = self.run_of(member);
        for (partition, track) in &mut self.tracks {
            for owner in track.owners.iter_mut().filter(|owner| owner.to.is_none()) {
                // Whoever else had it has it no more; and so does this member where it is not given again.
                if partitions.contains(partition) != (owner.member == member) {
                    owner.to = Some(at);
                }
            }
        }
        for partition in partitions {
            let track = self.tracks.entry(partition.clone()).or_default();
            if track.owners.last().is_none_or(|owner| owner.to.is_some()) {
                track.owners.push(Ownership {
                    member: member.to_string(),
                    who: who.to_string(),
                    run,
                    from: at,
                    to: None,
                });
            }
        }
    }

    fn reads(&mut self, row: usize, at: f64, partition: &TopicPartition, from: i64, end: i64) {
        let track = self.tracks.entry(partition.clone()).or_default();
        let again = track.sent.unwrap_or(from).clamp(from, end.max(from));
        track.sent = track.sent.max(Some(end));
        let number = partition.partition;
        if again > from {
            let committed = track.committed.iter().rev().find(|(when, _)| *when <= at);
            let why = match committed {
                Some((_, offset)) if *offset == from => "is the committed offset",
                Some(_) => "is not the committed offset",
                None => "is where the group begins, for nothing was committed",
            };
            let last = again - 1;
            let what = if last == from {
                format!("offset {from} is")
            } else {
                format!("offsets {from} to {last} are")
            };
            let remark = format!("TopicPartition {number}: {from} {why}; {what} sent again. ");
            self.rows[row].remark += &remark;
        }
        track.marks.push(Mark {
            row,
            offset: from,
            kind: Kind::Reads { end, again },
        });
    }

    /// Runs of the same program get numbers.
    fn number_runs(&mut self) {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for run in &self.runs {
            *counts.entry(run.program.clone()).or_default() += 1;
        }
        let mut seen: HashMap<String, usize> = HashMap::new();
        for run in self.runs.iter_mut().filter(|run| counts[&run.program] > 1) {
            let number = seen.entry(run.program.clone()).or_default();
            *number += 1;
            run.name = format!("{}, run {number}", run.program);
        }
    }
}

impl Track {
    /// The lowest and the highest offset that anything is shown at.
    pub fn offsets(&self) -> (i64, i64) {
        let marks = self.marks.iter().map(|mark| mark.offset);
        let ends = self.marks.iter().filter_map(|mark| match mark.kind {
            Kind::Reads { end, .. } => Some(end),
            _ => None,
        });
        let all = || marks.clone().chain(ends.clone());
        (all().min().unwrap_or(0), all().max().unwrap_or(0))
    }
}

fn since(start: SystemTime, at: SystemTime) -> f64 {
    at.duration_since(start).unwrap_or_default().as_secs_f64()
}
