//! Task 2: the checks of the consumer.
//!
//! They detect a consumer that
//! - commits events before it has processed them, so that a crash loses them, or never commits;
//! - processes batches of the wrong size, or counts or prints their events wrongly;
//! - does not commit once per batch, or commits wrong offsets;
//! - reports a commit before the broker has acknowledged it;
//! - does not stop on Ctrl-C, or commits events then that it has not processed;
//! - does not resume at the committed offsets.

use anyhow::Result;
use common::ANALYTICS_SERVICE;

use crate::bench::lane::Lane;
use crate::client_timers::AUTO_COMMIT;
use crate::contract::BATCH;
use crate::task2_consumer::kills::KILLED;
use crate::task2_consumer::output::{add, printed_purchases, summaries, total, totals};
use crate::task2_consumer::runs::{
    FIRST_READ, FIRST_RUN, FirstRun, PART_BATCH, RESUMED, Resumed, STALLED,
};
use crate::verdict::check::{Check, Verdict, stopped_on_ctrl_c, verdict};
use cluster::{offsets, sum};

pub const CHECKS: &[Check] = &[
    Check {
        id: "consumer.commits_after_processing",
        clauses: &["C5"],
        task: 2,
        points: 5,
        title: "commits only what it has processed",
        parts: &[commits_nothing_while_stuck, commits_its_first_batch],
    },
    Check {
        id: "consumer.redelivered_after_kill",
        clauses: &["C5"],
        task: 2,
        points: 4,
        title: "reads a batch again if it was killed between processing and commit",
        parts: &[redelivered_after_kill_while_stuck, redelivered_after_kill],
    },
    Check {
        id: "consumer.batches_of_20",
        clauses: &["C1", "E10"],
        task: 2,
        points: 2,
        title: "processes batches of 20",
        parts: &[batches_of_20],
    },
    Check {
        id: "consumer.batch_summary",
        clauses: &["C3"],
        task: 2,
        points: 3,
        title: "counts the events of each batch by type",
        parts: &[batch_summary],
    },
    Check {
        id: "consumer.purchases",
        clauses: &["C2"],
        task: 2,
        points: 2,
        title: "prints the purchases that have an amount",
        parts: &[purchases],
    },
    Check {
        id: "consumer.running_totals",
        clauses: &["C4"],
        task: 2,
        points: 3,
        title: "keeps running totals over all batches",
        parts: &[running_totals],
    },
    Check {
        id: "consumer.one_commit_a_batch",
        clauses: &["C5", "E6"],
        task: 2,
        points: 3,
        title: "commits once per batch",
        parts: &[one_commit_a_batch],
    },
    Check {
        id: "consumer.commits_next_offset",
        clauses: &["C5"],
        task: 2,
        points: 4,
        title: "commits the offset of the next event, not of the last one",
        parts: &[commits_next_offset],
    },
    Check {
        id: "consumer.reports_after_acknowledgement",
        clauses: &["C6"],
        task: 2,
        points: 2,
        title: "reports a commit only after the broker has acknowledged it",
        parts: &[reports_after_acknowledgement],
    },
    Check {
        id: "consumer.stops_on_ctrl_c",
        clauses: &["E7"],
        task: 2,
        points: 2,
        title: "ends within 5 s of Ctrl-C",
        parts: &[stops_on_ctrl_c],
    },
    Check {
        id: "consumer.stop_commits_only_processed",
        clauses: &["C7"],
        task: 2,
        points: 2,
        title: "commits only processed events when it stops",
        parts: &[stop_commits_only_processed],
    },
    Check {
        id: "consumer.resumes",
        clauses: &["C5"],
        task: 2,
        points: 3,
        title: "resumes at the committed offsets after a restart",
        parts: &[resumes],
    },
];

const WHAT_COMMITS: &str = "What commits, and when? Is it your program, after it has processed the batch, or something else, on a \
                            timer? And does it commit what it has processed, or all that it was sent?";

fn not_joined() -> String {
    format!("no member of {ANALYTICS_SERVICE} owned the three partitions")
}

fn commits_nothing_while_stuck(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(STALLED)?;
    let seconds = AUTO_COMMIT.as_secs();
    let (expected, saw) = if run.blocks {
        (
            format!(
                "no commit while the program is stuck in the middle of its first batch for {seconds} s"
            ),
            format!(
                "committed offsets in the middle of its first batch: {}; before it: {}",
                offsets(&run.committed),
                offsets(&run.before)
            ),
        )
    } else {
        (
            "the program cannot be stuck in the middle of a batch, so only its commits are judged"
                .to_string(),
            "a full pipe does not stop it in a print".to_string(),
        )
    };
    Ok(verdict(
        run.joined && run.early() == 0,
        expected,
        if run.joined { saw } else { not_joined() },
        WHAT_COMMITS,
    ))
}

fn commits_its_first_batch(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(FIRST_RUN)?;
    // A program may process its batch and not count it in a summary, so the first batch always counts as processed if the program
    // could be stuck in it.
    let processed = if run.blocks { BATCH } else { 0 };
    let ahead = run.first_commit - i64::try_from(run.counted_by_then.max(processed))?;
    let in_part_batch = run.moved_in_part_batch;
    let commits = run.commits > 0;
    let saw = if !run.joined {
        not_joined()
    } else if !commits {
        // A program that never commits does not commit too early, but it fails as well.
        of_batches(&run, || {
            "it never commits, even after processing its batches".to_string()
        })
    } else if ahead > 0 {
        format!("its first commit included {ahead} events that it had not processed")
    } else if in_part_batch != 0 {
        format!("it committed {in_part_batch} events of an incomplete batch while nothing came")
    } else if run.blocks {
        format!("its first commit included {} events", run.first_commit)
    } else {
        "its first commit included only what it had counted, and it committed no incomplete batch"
            .to_string()
    };
    Ok(verdict(
        run.joined && commits && ahead <= 0 && in_part_batch == 0,
        if run.blocks {
            "after its first batch a commit of just that batch".to_string()
        } else {
            format!(
                "a batch summary before the first commit, a commit of just that batch, and no commit while it has an incomplete \
                 batch for {} s",
                AUTO_COMMIT.as_secs()
            )
        },
        saw,
        WHAT_COMMITS,
    ))
}

const AFTER_KILLS: &str = "after a kill between processing and commit, the next run reads exactly that batch again; after a kill when \
                           the commit is done, it reads only what comes next";
const WHERE_IT_GOES_ON: &str = "A restart continues at the committed offset. What was the committed offset when the program was \
                                killed?";

fn redelivered_after_kill_while_stuck(lane: &Lane) -> Result<Verdict> {
    let early = lane.evidence(STALLED)?.early();
    let saw = format!(
        "it was killed in the middle of its first batch, after it had committed {early} events"
    );
    Ok(verdict(early == 0, AFTER_KILLS, saw, WHERE_IT_GOES_ON))
}

fn redelivered_after_kill(lane: &Lane) -> Result<Verdict> {
    let killed = lane.evidence(KILLED)?;
    if killed.swept.kills.is_empty() && killed.wrong.is_none() {
        let saw = format!(
            "the program sent no commit that could be held back. {}",
            killed.last_lines
        );
        return Ok(verdict(false, AFTER_KILLS, saw, WHERE_IT_GOES_ON));
    }
    let saw = match &killed.wrong {
        None => format!(
            "{}: each time, the next run read what it had to",
            killed.swept
        ),
        Some((None, effect)) => format!(
            "it committed {} events, and its batches add up to {:?}, not to {:?}",
            sum(&effect.next.after) - sum(&effect.next.before),
            add(&summaries(&effect.next.lines)),
            effect.next.expected.counts
        ),
        Some((Some(kill), effect)) => format!(
            "killed {kill}: the program had counted {} events of the batch, the committed offsets had moved by {}; the batches of \
             the next run add up to {:?}, not to {:?}",
            effect.counted,
            effect.moved,
            add(&summaries(&effect.next.lines)),
            effect.next.expected.counts
        ),
    };
    Ok(verdict(
        killed.wrong.is_none(),
        AFTER_KILLS,
        saw,
        WHERE_IT_GOES_ON,
    ))
}

fn batches_of_20(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(FIRST_RUN)?;
    let sizes: Vec<u64> = summaries(&run.lines).iter().map(total).collect();
    Ok(verdict(
        run.fetched && sizes == [BATCH, BATCH],
        format!("{FIRST_READ} events in two batch summaries that count {BATCH} events each"),
        of_events(&run, || counted("batch summaries", &sizes)),
        "How many events does your program collect before it processes them?",
    ))
}

/// Returns what a check of the output saw: that nothing was read, or else what `saw` returns.
fn of_events(run: &FirstRun, saw: impl FnOnce() -> String) -> String {
    if run.fetched {
        saw()
    } else {
        format!("the program did not fetch any events. {}", run.last_lines)
    }
}

/// Returns what a check of the commits saw: that no batch was processed, or else what `saw` returns.
fn of_batches(run: &FirstRun, saw: impl FnOnce() -> String) -> String {
    let is_processed = !summaries(&run.lines).is_empty() || !totals(&run.lines).is_empty();
    of_events(run, || {
        if is_processed || run.commits > 0 {
            saw()
        } else {
            format!(
                "it processed no batch: it printed no counts, and committed nothing. A batch is {BATCH} events from all \
                     partitions together"
            )
        }
    })
}

/// Says how many events each of these lines counts.
fn counted(lines: &str, sizes: &[u64]) -> String {
    if sizes.is_empty() {
        format!("no {lines}")
    } else {
        format!("{lines} that count {sizes:?} events")
    }
}

fn batch_summary(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(FIRST_RUN)?;
    let seen = add(&summaries(&run.lines));
    Ok(verdict(
        run.fetched && seen == run.expected.counts,
        format!("batch summaries that add up to {:?}", run.expected.counts),
        of_events(&run, || format!("batch summaries that add up to {seen:?}")),
        "Which events does each summary count?",
    ))
}

fn purchases(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(FIRST_RUN)?;
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
            "{} lines `Purchase: user=… amount=$…`, one for each purchase that has an amount",
            expected.len()
        ),
        of_events(&run, || {
            format!(
                "{} such lines; missing purchases: {missing}; lines that match no such purchase: {invented}",
                seen.len()
            )
        }),
        "Print only purchases that have an amount, and no other events with amounts. Use a decimal point, not a comma: `$49.99`.",
    ))
}

fn running_totals(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(FIRST_RUN)?;
    let totals = totals(&run.lines);
    let sizes: Vec<u64> = totals.iter().map(total).collect();
    // Another check judges the summaries. Totals that add up to those summaries are right even if the summaries are wrong.
    let right = totals.last() == Some(&add(&summaries(&run.lines)))
        || totals.last() == Some(&run.expected.counts);
    Ok(verdict(
        run.fetched && right && sizes.ends_with(&[BATCH, FIRST_READ]),
        format!(
            "every {BATCH} events, a line with the counts of all events so far: {BATCH} events, then {FIRST_READ}"
        ),
        of_events(&run, || counted("such lines", &sizes)),
        "Where does your program create the variable for the totals: inside the loop, or before it?",
    ))
}

fn one_commit_a_batch(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(FIRST_RUN)?;
    let batches = usize::try_from(FIRST_READ / BATCH)?;
    Ok(verdict(
        // A client may commit each of its three partitions in a request of its own.
        (batches..=3 * batches).contains(&run.commits),
        format!("one commit for each batch of {BATCH} events"),
        of_batches(&run, || {
            format!("commits for {FIRST_READ} events: {}", run.commits)
        }),
        "Your program processes a whole batch at a time. When does it commit?",
    ))
}

fn commits_next_offset(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(FIRST_RUN)?;
    let committed = sum(&run.committed) - sum(&run.before);
    Ok(verdict(
        committed == i64::try_from(FIRST_READ)?,
        format!(
            "after {FIRST_READ} processed events, committed offsets that add up to {FIRST_READ} more than before"
        ),
        of_batches(&run, || {
            format!(
                "they add up to {committed} more than before: {}",
                offsets(&run.committed)
            )
        }),
        "A committed offset says where the next run begins to read. Which offset is that in each partition of the batch?",
    ))
}

fn reports_after_acknowledgement(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(FIRST_RUN)?;
    let is_reported = run.lines.iter().any(|line| line.contains("Committed"));
    Ok(verdict(
        !run.reported_early && is_reported && run.held && run.commits > 0,
        format!("`Committed batch of {BATCH}.`, but only after the broker has answered the commit"),
        of_batches(&run, || {
            let saw = if run.commits == 0 {
                "it never commits"
            } else if !is_reported {
                "no such line"
            } else if !run.held {
                "its first commit did not come in time to be held back"
            } else if run.reported_early {
                "it was printed before the broker answered"
            } else {
                "it was printed after the broker answered"
            };
            saw.to_string()
        }),
        "A commit can be put in a queue, or your program can wait for its answer. Which of the two does it do?",
    ))
}

fn stops_on_ctrl_c(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(FIRST_RUN)?;
    Ok(if run.fetched {
        stopped_on_ctrl_c(run.status, &run.last_lines)
    } else {
        verdict(
            false,
            "a program that reads events, and ends on Ctrl-C",
            of_events(&run, String::new),
            "Does your program subscribe to the topic, and does it poll?",
        )
    })
}

fn stop_commits_only_processed(lane: &Lane) -> Result<Verdict> {
    let run = lane.evidence(FIRST_RUN)?;
    // On Ctrl-C, a program may process an incomplete batch and commit all of it.
    let of_part_batch = summaries(&run.lines_at_end)
        .split_off(summaries(&run.lines).len())
        .iter()
        .flat_map(|summary| summary.values())
        .sum::<u64>();
    let processed = i64::try_from(FIRST_READ + of_part_batch)?;
    let committed = sum(&run.committed_at_end) - sum(&run.before);
    let moved = sum(&run.committed_at_end) - sum(&run.committed);
    Ok(verdict(
        run.received_part
            && run.commits > 0
            && committed <= processed
            && moved == i64::try_from(of_part_batch)?,
        format!(
            "{processed} of {} events were processed, so after Ctrl-C the committed offsets add up to at most \
             {processed} more than before, {of_part_batch} of them since Ctrl-C",
            FIRST_READ + PART_BATCH
        ),
        of_batches(&run, || {
            if run.commits == 0 {
                "it never commits".to_string()
            } else if !run.received_part {
                format!(
                    "the broker never sent it the last {PART_BATCH} events. {}",
                    run.last_lines
                )
            } else {
                format!("they add up to {committed} more than before, {moved} of them since Ctrl-C")
            }
        }),
        "To receive an event is not to process it. What commits the received events when your consumer is closed?",
    ))
}

fn resumes(lane: &Lane) -> Result<Verdict> {
    let Resumed(run) = &*lane.evidence(RESUMED)?;
    Ok(verdict(
        run.read_what_it_found(),
        format!(
            "batches that begin at the committed offsets {} and add up to {:?}",
            offsets(&run.before),
            run.expected.counts
        ),
        format!(
            "batches that add up to {:?}; after them, the committed offsets are {}. {}",
            add(&summaries(&run.lines)),
            offsets(&run.after),
            run.last_lines
        ),
        "The group remembers where it stopped. Does your program use the same group in every run, and does it begin there?",
    ))
}
