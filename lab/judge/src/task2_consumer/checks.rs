//! Task 2: the checks of the consumer.

use anyhow::Result;
use common::ANALYTICS_SERVICE;

use crate::bench::lane::Lane;
use crate::task2_consumer::output::{add, printed_purchases, summaries, total, totals};
use crate::task2_consumer::runs::{
    BATCH, FIRST_READ, PART_BATCH, Read, Redelivered, read, redelivered, resumed, stalled,
};
use crate::verdict::check::{Check, Verdict, stopped_on_ctrl_c, verdict};
use cluster::{offsets, sum};

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
    let sizes: Vec<u64> = summaries(&run.lines).iter().map(total).collect();
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
    let sizes: Vec<u64> = totals.iter().map(total).collect();
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
