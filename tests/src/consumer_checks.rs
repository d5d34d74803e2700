//! Task 2: the checks of the consumer.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::Result;
use broker::wait;
use common::{ANALYTICS_SERVICE, CLICKSTREAM};

use crate::check::{Check, Verdict, stopped_on_ctrl_c, verdict};
use crate::gate::Request;
use crate::lane::Lane;
use crate::lines::counts;
use crate::slice::Slice;
use crate::{Line, Program, offsets, random_events};

const BATCH: i64 = 20;

/// How long a program may take to join, to read, and to report its batches.
const LIMIT: Duration = Duration::from_secs(20);

/// Longer than the 5 s after which a client commits by itself (`auto.commit.interval.ms`).
const AUTO_COMMIT: Duration = Duration::from_secs(6);

/// How long a commit stays unacknowledged.
const HELD: Duration = Duration::from_secs(1);

/// How long a program that has printed something may be silent before it counts as having said all.
const QUIET: Duration = Duration::from_secs(5);

/// How long no commit must have come for the last one to count as the last.
const SETTLE: Duration = Duration::from_millis(400);

/// By the contract.
const STOP_LIMIT: Duration = Duration::from_secs(5);

pub const CHECKS: &[Check] = &[
    Check {
        id: "consumer.commits_after_processing",
        task: 2,
        points: 5,
        title: "commits nothing that is not processed",
        judge: commits_after_processing,
    },
    Check {
        id: "consumer.redelivered_after_kill",
        task: 2,
        points: 4,
        title: "reads a batch again when it was killed between processing and commit",
        judge: redelivered_after_kill,
    },
    Check {
        id: "consumer.batches_of_20",
        task: 2,
        points: 2,
        title: "processes batches of 20",
        judge: batches_of_20,
    },
    Check {
        id: "consumer.batch_summary",
        task: 2,
        points: 3,
        title: "counts the types of each batch right",
        judge: batch_summary,
    },
    Check {
        id: "consumer.purchases",
        task: 2,
        points: 2,
        title: "prints the purchases that have an amount",
        judge: purchases,
    },
    Check {
        id: "consumer.running_totals",
        task: 2,
        points: 3,
        title: "keeps running totals over all batches",
        judge: running_totals,
    },
    Check {
        id: "consumer.one_commit_a_batch",
        task: 2,
        points: 3,
        title: "commits once a batch",
        judge: one_commit_a_batch,
    },
    Check {
        id: "consumer.commits_next_offset",
        task: 2,
        points: 4,
        title: "commits the offset of the next event, not of the last",
        judge: commits_next_offset,
    },
    Check {
        id: "consumer.reports_after_acknowledgement",
        task: 2,
        points: 2,
        title: "reports a commit only once the broker has acknowledged it",
        judge: reports_after_acknowledgement,
    },
    Check {
        id: "consumer.stops_on_ctrl_c",
        task: 2,
        points: 2,
        title: "ends within 5 s of Ctrl-C",
        judge: stops_on_ctrl_c,
    },
    Check {
        id: "consumer.stop_commits_only_processed",
        task: 2,
        points: 2,
        title: "commits nothing on its way out that it has not processed",
        judge: stop_commits_only_processed,
    },
    Check {
        id: "consumer.resumes",
        task: 2,
        points: 3,
        title: "goes on after a restart where it had stopped",
        judge: resumes,
    },
];

/// A run that blocked in its first print, in the middle of its first batch, and was killed there.
struct Stalled {
    /// Did it own all partitions, under the group's name?
    joined: bool,
    committed: Vec<Option<i64>>,
}

fn stalled(lane: &Lane) -> Result<Stalled> {
    lane.publish(&random_events(0, 50))?;
    let mut program = lane.start_stalled("consumer")?;
    let joined = wait::until("the consumer to own all partitions", LIMIT, || {
        let members = lane.kafka().members(ANALYTICS_SERVICE, CLICKSTREAM)?;
        let owned: usize = members.iter().map(|member| member.partitions.len()).sum();
        Ok((owned == 3 || !program.is_running()?).then_some(owned == 3))
    })
    .unwrap_or(false);
    wait::check_interrupt()?;
    let end = Instant::now() + AUTO_COMMIT;
    let mut seen = committed(lane)?;
    while joined && sum(&seen) == 0 && Instant::now() < end {
        wait::pass(Duration::from_millis(100))?;
        seen = committed(lane)?;
    }
    if program.is_running()? {
        program.kill()?;
    }
    lane.kafka().remove_members(ANALYTICS_SERVICE, CLICKSTREAM)?;
    Ok(Stalled {
        joined,
        committed: seen,
    })
}

/// A run on the same 50 events after that. Its first commit was held back for a second; later it was stopped by Ctrl-C.
struct Read {
    before: Vec<Option<i64>>,
    /// Did it report a commit that nobody had acknowledged?
    reported_early: bool,
    /// Commits that the broker was asked for until two batches were reported.
    commits: usize,
    /// What was committed then, and what it had printed.
    committed: Vec<Option<i64>>,
    lines: Vec<String>,
    /// And after Ctrl-C.
    committed_at_end: Vec<Option<i64>>,
    lines_at_end: Vec<String>,
    status: Option<ExitStatus>,
    last_lines: String,
}

fn read(lane: &Lane) -> Result<Read> {
    // Events that were committed too early are not read again; what follows is about other things, and needs as many.
    let skipped = u64::try_from(sum(&lane.evidence(stalled)?.committed))?;
    if skipped > 0 {
        lane.publish(&random_events(50, skipped))?;
    }
    let before = committed(lane)?;
    let commits_before = commits(lane)?;
    lane.hold(Request::OffsetCommit);
    let mut program = lane.start("consumer")?;
    let limit = patience(lane)?;
    program.wait_while_it_prints(limit, QUIET, |lines| {
        (lane.is_holding() || committed_lines(lines) > 0).then_some(())
    })?;
    if lane.is_holding() {
        wait::pass(HELD)?;
    }
    let reported_early = committed_lines(&program.lines()) > 0;
    lane.release();
    wait_for_batches(&mut program, 2, limit)?;
    let settled = settled(lane)?;
    let commits = commits(lane)? - commits_before;
    let lines = program.texts();

    let _ = program.interrupt();
    let status = program.wait_for_end(STOP_LIMIT).ok();
    wait::check_interrupt()?;
    let read = Read {
        before,
        reported_early,
        commits,
        committed: settled,
        lines,
        committed_at_end: committed(lane)?,
        lines_at_end: program.texts(),
        status,
        last_lines: program.last_lines(),
    };
    drop(program);
    lane.kafka().remove_members(ANALYTICS_SERVICE, CLICKSTREAM)?;
    Ok(read)
}

/// A run from what was committed to what is committed then.
struct Run {
    before: Vec<Option<i64>>,
    after: Vec<Option<i64>>,
    lines: Vec<String>,
    last_lines: String,
}

impl Run {
    /// What it must have processed.
    fn expected(&self, lane: &Lane) -> Result<Slice> {
        Slice::of(lane.kafka(), &self.before, &self.after)
    }
}

/// Lets a program read all whole batches that are there.
fn read_all(lane: &Lane) -> Result<(Program, Run)> {
    let before = committed(lane)?;
    let unread = lane.kafka().ends(CLICKSTREAM)?.iter().sum::<i64>() - sum(&before);
    let mut program = lane.start("consumer")?;
    let batches = usize::try_from(unread / BATCH)?;
    wait_for_batches(&mut program, batches, patience(lane)?)?;
    let run = Run {
        before,
        after: settled(lane)?,
        lines: program.texts(),
        last_lines: program.last_lines(),
    };
    Ok((program, run))
}

/// A run after the one that was stopped, with 30 more events. Then it processed one more batch, but its commit never came
/// to the broker: it was killed in between.
struct Resumed {
    run: Run,
    /// Did the commit of that batch come as far as the gate?
    tried: bool,
    committed_after_kill: Vec<Option<i64>>,
}

fn resumed(lane: &Lane) -> Result<Resumed> {
    lane.evidence(read)?;
    lane.publish(&random_events(50, 30))?;
    let (mut program, run) = read_all(lane)?;
    lane.hold(Request::OffsetCommit);
    lane.publish(&random_events(80, 25))?;
    let tried = program.wait_while_it_prints(patience(lane)?, QUIET, |_| {
        lane.is_holding().then_some(())
    })?;
    if program.is_running()? {
        program.kill()?;
    }
    lane.turn_away();
    lane.kafka().remove_members(ANALYTICS_SERVICE, CLICKSTREAM)?;
    Ok(Resumed {
        run,
        tried: tried.is_some(),
        committed_after_kill: committed(lane)?,
    })
}

/// A run after the kill.
struct Redelivered(Run);

fn redelivered(lane: &Lane) -> Result<Redelivered> {
    lane.evidence(resumed)?;
    Ok(Redelivered(read_all(lane)?.1))
}

/// How long a program may take until it prints something: not long, where it did not even join the group before.
fn patience(lane: &Lane) -> Result<Duration> {
    let joined = lane.evidence(stalled)?.joined;
    Ok(if joined { LIMIT } else { QUIET })
}

fn wait_for_batches(program: &mut Program, batches: usize, limit: Duration) -> Result<()> {
    program.wait_while_it_prints(limit, QUIET, |lines| {
        (committed_lines(lines) >= batches).then_some(())
    })?;
    Ok(())
}

fn committed(lane: &Lane) -> Result<Vec<Option<i64>>> {
    lane.kafka().committed(ANALYTICS_SERVICE, CLICKSTREAM)
}

/// What is committed once no more commits come.
fn settled(lane: &Lane) -> Result<Vec<Option<i64>>> {
    let mut last = committed(lane)?;
    loop {
        wait::pass(SETTLE)?;
        let later = committed(lane)?;
        if later == last {
            return Ok(later);
        }
        last = later;
    }
}

fn sum(committed: &[Option<i64>]) -> i64 {
    committed.iter().flatten().sum()
}

fn committed_lines(lines: &[Line]) -> usize {
    lines
        .iter()
        .filter(|line| line.text.contains("Committed"))
        .count()
}

/// How many commits of the group the broker has been asked for.
fn commits(lane: &Lane) -> Result<usize> {
    Ok(lane
        .group_requests("OFFSET_COMMIT", ANALYTICS_SERVICE)?
        .len())
}

type Counts = BTreeMap<String, u64>;

fn summaries(lines: &[String]) -> Vec<Counts> {
    let lines = lines.iter().filter(|line| line.contains("Batch summary"));
    lines.filter_map(|line| counts(line)).collect()
}

fn totals(lines: &[String]) -> Vec<Counts> {
    let lines = lines.iter().filter(|line| !line.contains("Batch summary"));
    lines.filter_map(|line| counts(line)).collect()
}

fn add(all: &[Counts]) -> Counts {
    let mut sum = Counts::new();
    for (event_type, count) in all.iter().flatten() {
        *sum.entry(event_type.clone()).or_default() += count;
    }
    sum
}

fn printed_purchases(lines: &[String]) -> Vec<(String, i64)> {
    let mut purchases: Vec<_> = lines.iter().filter_map(|line| purchase(line)).collect();
    purchases.sort();
    purchases
}

/// The user and the cents in `Purchase: user=user_7 amount=$49.99`.
fn purchase(line: &str) -> Option<(String, i64)> {
    let (_, rest) = line.split_once("Purchase")?;
    let (_, rest) = rest.split_once("user=")?;
    let (user, rest) = rest.split_once(char::is_whitespace)?;
    let (_, amount) = rest.split_once('$')?;
    let amount: f64 = amount.trim().parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "amounts are at most 500 dollars"
    )]
    let cents = (amount * 100.0).round() as i64;
    Some((user.to_string(), cents))
}

fn commits_after_processing(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(stalled)?;
    let saw = if run.joined {
        format!(
            "in the middle of its first batch, committed offsets: {}",
            offsets(&run.committed)
        )
    } else {
        format!("no member of {ANALYTICS_SERVICE} that owns the three partitions")
    };
    Ok(verdict(
        run.joined && sum(&run.committed) == 0,
        "a program that is stopped in its first print has committed nothing, also 6 s later",
        saw,
        "Who commits, and when? Is it your program, after it has processed the batch, or something else on a timer?",
    ))
}

fn redelivered_after_kill(lane: &Lane) -> Result<Verdict> {
    let in_processing = sum(&lane.evidence(stalled)?.committed);
    let killed = lane.evidence(resumed)?;
    let Redelivered(run) = &*lane.evidence(redelivered)?;
    let expected = run.expected(lane)?;
    let seen = add(&summaries(&run.lines));
    let saw = if in_processing > 0 {
        format!("killed in the middle of its first batch, it had committed {in_processing} events")
    } else if !killed.tried {
        format!("no commit came to be held back. {}", killed.run.last_lines)
    } else {
        format!(
            "the committed offsets were {}, the next run's batches add up to {seen:?}",
            offsets(&killed.committed_after_kill)
        )
    };
    Ok(verdict(
        in_processing == 0
            && killed.tried
            && killed.committed_after_kill == killed.run.after
            && sum(&run.after) > sum(&run.before)
            && is_right(&seen, &expected),
        format!(
            "after a kill between processing and commit, the next run reads exactly that batch again: from {} on, {:?}",
            offsets(&killed.run.after),
            expected.counts
        ),
        saw,
        "A restart goes on at the committed offset. What stood there when the program was killed?",
    ))
}

fn batches_of_20(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    let sizes: Vec<u64> = summaries(&run.lines)
        .iter()
        .map(|summary| summary.values().sum())
        .collect();
    Ok(verdict(
        sizes.len() >= 2 && sizes.iter().all(|size| *size == 20),
        "two batch summaries that count 20 events each",
        format!("batch summaries that count {sizes:?}"),
        "How many events does the program collect before it processes them?",
    ))
}

fn batch_summary(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    let expected = Slice::of(lane.kafka(), &run.before, &run.committed)?;
    let seen = add(&summaries(&run.lines));
    Ok(verdict(
        is_right(&seen, &expected),
        format!("batch summaries that add up to {:?}", expected.counts),
        format!("they add up to {seen:?}"),
        "Which events does the summary count?",
    ))
}

/// Counts are right when they are those of the events up to the commits; one event a partition is forgiven, because
/// committing the last offset instead of the next is another check's affair.
fn is_right(seen: &Counts, expected: &Slice) -> bool {
    let all = |counts: &Counts| counts.values().sum::<u64>();
    let missing = all(seen).saturating_sub(all(&expected.counts));
    let differing: u64 = seen
        .iter()
        .map(|(event_type, count)| {
            count.abs_diff(expected.counts.get(event_type).copied().unwrap_or(0))
        })
        .sum();
    !seen.is_empty() && missing <= 3 && differing == missing
}

fn purchases(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    let expected = Slice::of(lane.kafka(), &run.before, &run.committed)?;
    let seen = printed_purchases(&run.lines);
    let missing = expected
        .purchases
        .iter()
        .filter(|purchase| !seen.contains(purchase))
        .count();
    let all = Slice::all(lane.kafka())?;
    let invented = seen
        .iter()
        .filter(|purchase| !all.purchases.contains(purchase))
        .count();
    Ok(verdict(
        // As in `is_right`, one event a partition more is another check's affair.
        missing == 0 && invented == 0 && seen.len() <= expected.purchases.len() + 3,
        format!(
            "{} lines `Purchase: user=… amount=$…`, one for each purchase with an amount",
            expected.purchases.len()
        ),
        format!(
            "{} such lines; {missing} missing, {invented} that are no such event",
            seen.len()
        ),
        "A purchase without an amount is not printed; an amount without a purchase neither.",
    ))
}

fn running_totals(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    let totals = totals(&run.lines);
    let summaries = summaries(&run.lines);
    let sizes: Vec<u64> = totals.iter().map(|totals| totals.values().sum()).collect();
    let right = totals.last() == Some(&add(&summaries)) && sizes.ends_with(&[20, 40]);
    Ok(verdict(
        right,
        "every 20 events a line with the counts of all events so far: 20 of them, then 40",
        format!("such lines with {sizes:?} events"),
        "Where is the variable made that holds the totals: inside the loop, or before it?",
    ))
}

fn one_commit_a_batch(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    let batches = summaries(&run.lines).len();
    Ok(verdict(
        // A client may commit its three partitions one by one.
        batches > 0 && (1..=3 * batches).contains(&run.commits),
        "a commit for each batch",
        format!("{} commits for {batches} batches", run.commits),
        "The batch is the unit of processing, and of committing.",
    ))
}

fn commits_next_offset(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    let processed: u64 = summaries(&run.lines)
        .iter()
        .flat_map(|summary| summary.values())
        .sum();
    let committed = u64::try_from(sum(&run.committed) - sum(&run.before))?;
    Ok(verdict(
        processed > 0 && committed == processed,
        format!("{processed} events processed, so committed offsets that add up to {processed}"),
        format!("they add up to {committed}: {}", offsets(&run.committed)),
        "A committed offset says where to go on, and what has been committed when the batch was reported?",
    ))
}

fn reports_after_acknowledgement(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    Ok(verdict(
        !run.reported_early && run.commits > 0,
        "no `Committed batch of 20.` while the broker had not answered the commit",
        if run.reported_early {
            "it was printed all the same"
        } else if run.commits == 0 {
            "no commit at all"
        } else {
            "it was printed after the answer"
        },
        "A commit can be queued, or waited for.",
    ))
}

fn stops_on_ctrl_c(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    Ok(stopped_on_ctrl_c(run.status, &run.last_lines))
}

fn stop_commits_only_processed(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    let processed: u64 = summaries(&run.lines_at_end)
        .iter()
        .flat_map(|summary| summary.values())
        .sum();
    let committed = u64::try_from(sum(&run.committed_at_end) - sum(&run.before))?;
    Ok(verdict(
        committed <= processed,
        format!(
            "after Ctrl-C, committed offsets that add up to no more than the {processed} events processed"
        ),
        format!("they add up to {committed}"),
        "What has been handed to the program is not yet processed. Who commits it when the consumer is closed?",
    ))
}

fn resumes(lane: &Lane) -> Result<Verdict> {
    let run = &lane.evidence(resumed)?.run;
    let expected = run.expected(lane)?;
    let seen = add(&summaries(&run.lines));
    Ok(verdict(
        sum(&run.after) > sum(&run.before) && is_right(&seen, &expected),
        format!(
            "from the committed offsets {} on: batches that add up to {:?}",
            offsets(&run.before),
            expected.counts
        ),
        format!(
            "they add up to {seen:?}, and the committed offsets are {}. {}",
            offsets(&run.after),
            run.last_lines
        ),
        "The group remembers where it stopped. Does the program ask under the same name, and begin there?",
    ))
}
