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

/// By the contract, in events.
const BATCH: u64 = 20;

/// So many events are read by the first run that is not killed: two batches.
const FIRST_READ: u64 = 2 * BATCH;

/// So many more come then: they stay a part batch.
const PART_BATCH: u64 = 10;

/// How long a program may take to join, to read, and to report its batches.
const LIMIT: Duration = Duration::from_secs(20);

/// Longer than the 5 s after which a client commits by itself (`auto.commit.interval.ms`).
const AUTO_COMMIT: Duration = Duration::from_secs(6);

/// How long a commit stays unacknowledged.
const HELD: Duration = Duration::from_secs(1);

/// How long a program that has printed something may be silent before it counts as having said all.
const QUIET: Duration = Duration::from_secs(5);

/// How long a program may take to fetch what has been published. A fetch that finds nothing is answered after 0.5 s.
const FETCH_LIMIT: Duration = Duration::from_secs(4);

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
    lane.publish(&random_events(0, FIRST_READ))?;
    let mut program = lane.start_stalled("consumer")?;
    let joined = wait::until("the consumer to own all partitions", LIMIT, || {
        let owned = lane.owned(ANALYTICS_SERVICE)?;
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
    end_by_kill(lane, program)?;
    Ok(Stalled {
        joined,
        committed: seen,
    })
}

/// A run that found two batches. Its first commit was held back for a second. Then ten more events came, and Ctrl-C.
struct Read {
    /// What there was to read.
    expected: Slice,
    before: Vec<Option<i64>>,
    /// Did it fetch records at all?
    fetched: bool,
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
    lane.evidence(stalled)?;
    let before = committed(lane)?;
    fill_up(lane, &before, FIRST_READ)?;
    let expected = Slice::from(lane.kafka(), &before)?;
    let (commits_before, fetches_before) = (commits(lane)?, fetches(lane)?.len());
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
    wait_for_batches(&mut program, FIRST_READ / BATCH, limit)?;
    let settled = settled(lane)?;
    let commits = commits(lane)? - commits_before;
    let lines = program.texts();

    lane.publish(&random_events(FIRST_READ, PART_BATCH))?;
    let fetched = wait_until_fetched(lane, &mut program, fetches_before)?;
    let _ = program.interrupt();
    let status = program.wait_for_end(STOP_LIMIT).ok();
    wait::check_interrupt()?;
    let read = Read {
        expected,
        before,
        fetched,
        reported_early,
        commits,
        committed: settled,
        lines,
        committed_at_end: committed(lane)?,
        lines_at_end: program.texts(),
        status,
        last_lines: program.last_lines(),
    };
    end_by_kill(lane, program)?;
    Ok(read)
}

/// A run that reads all that was not committed before it.
struct Run {
    expected: Slice,
    before: Vec<Option<i64>>,
    after: Vec<Option<i64>>,
    lines: Vec<String>,
    last_lines: String,
}

/// Lets a program read so many events, or a few more: whole batches.
fn read_on(lane: &Lane, least: u64) -> Result<(Program, Run)> {
    let before = committed(lane)?;
    let unread = fill_up(lane, &before, least)?;
    let expected = Slice::from(lane.kafka(), &before)?;
    let mut program = lane.start("consumer")?;
    wait_for_batches(&mut program, unread / BATCH, patience(lane)?)?;
    let run = Run {
        expected,
        before,
        after: settled(lane)?,
        lines: program.texts(),
        last_lines: program.last_lines(),
    };
    Ok((program, run))
}

impl Run {
    /// Did it commit, and count just what there was?
    fn read_what_there_was(&self) -> bool {
        sum(&self.after) > sum(&self.before) && counts_right(&self.lines, &self.expected)
    }
}

/// Do the summaries or the running totals count just these events? Whether both do is other checks' affair.
fn counts_right(lines: &[String], expected: &Slice) -> bool {
    add(&summaries(lines)) == expected.counts || totals(lines).last() == Some(&expected.counts)
}

/// A run after the one that was stopped. Then it processed one more batch, but its commit never came to the broker: it was
/// killed in between.
struct Resumed {
    run: Run,
    /// Did the commit of that batch come as far as the gate?
    tried: bool,
    committed_after_kill: Vec<Option<i64>>,
}

fn resumed(lane: &Lane) -> Result<Resumed> {
    lane.evidence(read)?;
    let (mut program, run) = read_on(lane, 2 * BATCH)?;
    lane.hold(Request::OffsetCommit);
    lane.publish(&random_events(0, BATCH))?;
    let tried = program
        .wait_while_it_prints(patience(lane)?, QUIET, |_| lane.is_holding().then_some(()))?;
    if program.is_running()? {
        program.kill()?;
    }
    lane.turn_away();
    end_by_kill(lane, program)?;
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
    let (program, run) = read_on(lane, BATCH)?;
    end_by_kill(lane, program)?;
    Ok(Redelivered(run))
}

/// Nobody has to wait for a session to time out.
fn end_by_kill(lane: &Lane, mut program: Program) -> Result<()> {
    if program.is_running()? {
        program.kill()?;
    }
    lane.remove_members(ANALYTICS_SERVICE)
}

/// How long a program may take until it prints something: not long, where it did not even join the group before.
fn patience(lane: &Lane) -> Result<Duration> {
    let joined = lane.evidence(stalled)?.joined;
    Ok(if joined { LIMIT } else { QUIET })
}

fn wait_for_batches(program: &mut Program, batches: u64, limit: Duration) -> Result<()> {
    let batches = usize::try_from(batches)?;
    program.wait_while_it_prints(limit, QUIET, |lines| {
        (committed_lines(lines) >= batches).then_some(())
    })?;
    Ok(())
}

/// Publishes as many events as are missing, so that those not committed are whole batches, and at least so many. Returns
/// how many that are.
fn fill_up(lane: &Lane, committed: &[Option<i64>], least: u64) -> Result<u64> {
    let ends: i64 = lane.kafka().ends(CLICKSTREAM)?.iter().sum();
    let unread = u64::try_from(ends - sum(committed)).unwrap_or_default();
    let wanted = unread.max(least).next_multiple_of(BATCH);
    if wanted > unread {
        lane.publish(&random_events(u64::try_from(ends)?, wanted - unread))?;
    }
    Ok(wanted)
}

/// Waits until all events were handed out to a program, for it fetches what comes after them. Returns whether it has
/// fetched anything.
fn wait_until_fetched(lane: &Lane, program: &mut Program, fetches_before: usize) -> Result<bool> {
    let ends = lane.kafka().ends(CLICKSTREAM)?;
    let _ = wait::until("all events to be fetched", FETCH_LIMIT, || {
        let mut fetched = vec![0; ends.len()];
        for (partition, offset) in fetches(lane)?.into_iter().skip(fetches_before) {
            if let Some(fetched) = fetched.get_mut(partition) {
                *fetched = offset.max(*fetched);
            }
        }
        // Compared partition by partition.
        let all = fetched
            .iter()
            .zip(&ends)
            .all(|(fetched, end)| fetched >= end);
        Ok((all || !program.is_running()?).then_some(()))
    });
    wait::check_interrupt()?;
    Ok(fetches(lane)?.len() > fetches_before)
}

/// Where programs have fetched from so far: partitions and offsets.
fn fetches(lane: &Lane) -> Result<Vec<(usize, i64)>> {
    let mut fetches = Vec::new();
    for request in lane.requests_of_programs("FETCH")? {
        let topics = request["request"]["topics"]
            .as_array()
            .into_iter()
            .flatten();
        for partition in
            topics.flat_map(|topic| topic["partitions"].as_array().into_iter().flatten())
        {
            let index = partition["partition"].as_u64().unwrap_or(u64::MAX);
            let offset = partition["fetchOffset"].as_i64().unwrap_or_default();
            fetches.push((usize::try_from(index)?, offset));
        }
    }
    Ok(fetches)
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
    lines
        .filter_map(|line| counts(line))
        .map(without_zeros)
        .collect()
}

fn totals(lines: &[String]) -> Vec<Counts> {
    let lines = lines.iter().filter(|line| !line.contains("Batch summary"));
    lines
        .filter_map(|line| counts(line))
        .map(without_zeros)
        .collect()
}

/// A type that never came may be left out.
fn without_zeros(mut counts: Counts) -> Counts {
    counts.retain(|_, count| *count > 0);
    counts
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
    let early = sum(&run.committed);
    // Whoever never commits does not commit too early either; that is not what is asked for.
    let commits_later = early > 0 || !run.joined || lane.evidence(read)?.commits > 0;
    let saw = if !run.joined {
        format!("no member of {ANALYTICS_SERVICE} that owns the three partitions")
    } else if !commits_later {
        "it commits nothing when it has processed its batches either".to_string()
    } else {
        format!(
            "in the middle of its first batch, committed offsets: {}",
            offsets(&run.committed)
        )
    };
    Ok(verdict(
        run.joined && early == 0 && commits_later,
        "a program that is stopped in its first print has committed nothing, also 6 s later",
        saw,
        "Who commits, and when? Is it your program, after it has processed the batch, or something else on a timer?",
    ))
}

fn redelivered_after_kill(lane: &Lane) -> Result<Verdict> {
    const EXPECTED: &str =
        "after a kill between processing and commit, the next run reads exactly that batch again";
    const HINT: &str =
        "A restart goes on at the committed offset. What stood there when the program was killed?";
    let in_processing = sum(&lane.evidence(stalled)?.committed);
    if in_processing > 0 {
        let saw = format!(
            "killed in the middle of its first batch, it had committed {in_processing} events"
        );
        return Ok(verdict(false, EXPECTED, saw, HINT));
    }
    let killed = lane.evidence(resumed)?;
    if !killed.tried {
        let saw = format!(
            "no commit came that could be held back. {}",
            killed.run.last_lines
        );
        return Ok(verdict(false, EXPECTED, saw, HINT));
    }
    let Redelivered(run) = &*lane.evidence(redelivered)?;
    Ok(verdict(
        killed.committed_after_kill == killed.run.after && run.read_what_there_was(),
        format!(
            "{EXPECTED}: from {} on, batches that add up to {:?}",
            offsets(&killed.run.after),
            run.expected.counts
        ),
        format!(
            "the committed offsets were {}, the next run's batches add up to {:?}",
            offsets(&killed.committed_after_kill),
            add(&summaries(&run.lines))
        ),
        HINT,
    ))
}

fn batches_of_20(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    let sizes: Vec<u64> = summaries(&run.lines)
        .iter()
        .map(|summary| summary.values().sum())
        .collect();
    Ok(verdict(
        run.fetched && sizes == [BATCH, BATCH],
        format!("of {FIRST_READ} events, two batch summaries that count 20 each"),
        of_events(&run, || format!("batch summaries that count {sizes:?}")),
        "How many events does the program collect before it processes them?",
    ))
}

/// What a check of the output says it saw, where anything was read.
fn of_events(run: &Read, saw: impl FnOnce() -> String) -> String {
    if run.fetched {
        saw()
    } else {
        format!("the program fetched no event. {}", run.last_lines)
    }
}

fn batch_summary(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    let seen = add(&summaries(&run.lines));
    Ok(verdict(
        run.fetched && seen == run.expected.counts,
        format!("batch summaries that add up to {:?}", run.expected.counts),
        of_events(&run, || format!("they add up to {seen:?}")),
        "Which events does the summary count?",
    ))
}

fn purchases(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    let seen = printed_purchases(&run.lines);
    let expected = &run.expected.purchases;
    let missing = expected
        .iter()
        .filter(|purchase| !seen.contains(purchase))
        .count();
    let invented = seen
        .iter()
        .filter(|purchase| !expected.contains(purchase))
        .count();
    Ok(verdict(
        run.fetched && seen == *expected,
        format!(
            "{} lines `Purchase: user=… amount=$…`, one for each purchase with an amount",
            expected.len()
        ),
        of_events(&run, || {
            format!(
                "{} such lines; {missing} missing, {invented} that are no such event",
                seen.len()
            )
        }),
        "A purchase without an amount is not printed; an amount without a purchase neither.",
    ))
}

fn running_totals(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    let totals = totals(&run.lines);
    let sizes: Vec<u64> = totals.iter().map(|totals| totals.values().sum()).collect();
    // Of what the batches count, right or wrong: that is another check's affair.
    let right = totals.last() == Some(&add(&summaries(&run.lines)))
        || totals.last() == Some(&run.expected.counts);
    Ok(verdict(
        run.fetched && right && sizes.ends_with(&[BATCH, FIRST_READ]),
        "every 20 events a line with the counts of all events so far: 20 of them, then 40",
        of_events(&run, || format!("such lines with {sizes:?} events")),
        "Where is the variable made that holds the totals: inside the loop, or before it?",
    ))
}

fn one_commit_a_batch(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    let batches = usize::try_from(FIRST_READ / BATCH)?;
    Ok(verdict(
        // A client may commit its three partitions one by one.
        (batches..=3 * batches).contains(&run.commits),
        "a commit for each batch",
        format!("{} commits for {FIRST_READ} events", run.commits),
        "The batch is the unit of processing, and of committing.",
    ))
}

fn commits_next_offset(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    let committed = sum(&run.committed) - sum(&run.before);
    Ok(verdict(
        committed == i64::try_from(FIRST_READ)?,
        format!(
            "{FIRST_READ} events processed, so committed offsets that add up to {FIRST_READ} more than before"
        ),
        format!(
            "they add up to {committed} more: {}",
            offsets(&run.committed)
        ),
        "A committed offset says where to go on, in every partition that the batch had events of.",
    ))
}

fn reports_after_acknowledgement(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    let is_reported = run.lines.iter().any(|line| line.contains("Committed"));
    Ok(verdict(
        !run.reported_early && is_reported && run.commits > 0,
        "`Committed batch of 20.`, but not while the broker had not answered the commit",
        if run.commits == 0 {
            "no commit at all"
        } else if !is_reported {
            "no such line"
        } else if run.reported_early {
            "it was printed all the same"
        } else {
            "it was printed after the answer"
        },
        "A commit can be queued, or waited for.",
    ))
}

fn stops_on_ctrl_c(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    Ok(if run.fetched {
        stopped_on_ctrl_c(run.status, &run.last_lines)
    } else {
        verdict(
            false,
            "a program that reads, and ends on Ctrl-C",
            of_events(&run, String::new),
            "Does it subscribe, and poll?",
        )
    })
}

fn stop_commits_only_processed(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(read)?;
    // On Ctrl-C a part batch may be processed whole, and then it may be committed.
    let of_part_batch = summaries(&run.lines_at_end)
        .split_off(summaries(&run.lines).len())
        .iter()
        .flat_map(|summary| summary.values())
        .sum::<u64>();
    let processed = i64::try_from(FIRST_READ + of_part_batch)?;
    let committed = sum(&run.committed_at_end) - sum(&run.before);
    Ok(verdict(
        run.fetched && run.commits > 0 && committed <= processed,
        format!(
            "after Ctrl-C, committed offsets that add up to no more than the {processed} events processed; \
             {PART_BATCH} more had been handed out"
        ),
        if run.commits == 0 {
            "it never commits".to_string()
        } else {
            format!("they add up to {committed}")
        },
        "What has been handed to the program is not yet processed. Who commits it when the consumer is closed?",
    ))
}

fn resumes(lane: &Lane) -> Result<Verdict> {
    let run = &lane.evidence(resumed)?.run;
    Ok(verdict(
        run.read_what_there_was(),
        format!(
            "from the committed offsets {} on: batches that add up to {:?}",
            offsets(&run.before),
            run.expected.counts
        ),
        format!(
            "they add up to {:?}, and the committed offsets are {}. {}",
            add(&summaries(&run.lines)),
            offsets(&run.after),
            run.last_lines
        ),
        "The group remembers where it stopped. Does the program ask under the same name, and begin there?",
    ))
}
