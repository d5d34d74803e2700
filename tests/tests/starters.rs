//! The starters build without a warning, run, and fail exactly the checks that their holes affect.

use std::fs;

use anyhow::{Result, ensure};
use bank::{Style, build};
use judge::programs::{PROGRAMS, Version, cargo, workspace};
use judge::{Submission, TASKS, Task, holes};
use libtest_mimic::Trial;

use crate::bank::{expect, judge};
use crate::{programs, trial};

/// A program with some holes open and the others filled, and the checks that it fails.
struct Open {
    /// The file with the holes.
    file: &'static str,
    /// The program that the file belongs to.
    of: &'static str,
    /// The holes that are open.
    holes: &'static [u32],
    /// The ids of the checks that the program fails.
    fails: &'static [&'static str],
}

const PRODUCER: &str = "producer/src/main.rs";
const CONSUMER: &str = "consumer/src/main.rs";
const MEMBER: &str = "consumer_group_a/src/member.rs";
const EXACTLY_ONCE: &str = "exactly_once/src/main.rs";
const BILLING: &str = "billing/src/main.rs";

const OPEN: &[Open] = &[
    Open {
        file: PRODUCER,
        of: "producer",
        // librdkafka's defaults are good enough, and `flush` polls, too.
        holes: &[1, 4],
        fails: &[],
    },
    Open {
        file: PRODUCER,
        of: "producer",
        holes: &[2],
        fails: &[
            "producer.reports_deliveries",
            "producer.reports_after_acknowledgement",
            "producer.reports_failures",
        ],
    },
    Open {
        file: PRODUCER,
        of: "producer",
        holes: &[3],
        fails: &[
            "producer.key_is_user",
            "producer.one_partition_a_user",
            "producer.spreads_users",
        ],
    },
    Open {
        file: CONSUMER,
        of: "consumer",
        holes: &[1],
        fails: &[
            "consumer.commits_after_processing",
            "consumer.redelivered_after_kill",
            "consumer.stop_commits_only_processed",
        ],
    },
    Open {
        file: CONSUMER,
        of: "consumer",
        holes: &[2],
        fails: &["consumer.batches_of_20", "consumer.running_totals"],
    },
    Open {
        file: CONSUMER,
        of: "consumer",
        holes: &[3],
        fails: &[
            "consumer.batches_of_20",
            "consumer.batch_summary",
            "consumer.purchases",
        ],
    },
    Open {
        file: CONSUMER,
        of: "consumer",
        holes: &[4, 5],
        fails: &["consumer.running_totals"],
    },
    Open {
        file: CONSUMER,
        of: "consumer",
        holes: &[6],
        fails: &[
            "consumer.commits_after_processing",
            "consumer.redelivered_after_kill",
            "consumer.one_commit_a_batch",
            "consumer.commits_next_offset",
            "consumer.reports_after_acknowledgement",
            "consumer.stop_commits_only_processed",
            "consumer.resumes",
        ],
    },
    Open {
        file: MEMBER,
        of: "member",
        holes: &[1],
        fails: &["scaling.session_timeout_10_s"],
    },
    Open {
        file: MEMBER,
        of: "member",
        holes: &[2],
        fails: &["scaling.prints_assigned", "scaling.prints_revoked"],
    },
    Open {
        file: BILLING,
        of: "billing",
        holes: &[1, 2],
        fails: &[
            "billing.charges_duplicates_once",
            "billing.knows_again_after_restart",
            "billing.killed_before_commit",
            "billing.survives_kills",
        ],
    },
    Open {
        file: BILLING,
        of: "billing",
        // A payment that is delivered again causes an error, because it violates the primary key.
        holes: &[2],
        fails: &[
            "billing.charges_duplicates_once",
            "billing.knows_again_after_restart",
            "billing.killed_before_commit",
            "billing.dead_letter_before_offset",
            "billing.survives_kills",
        ],
    },
    Open {
        file: BILLING,
        of: "billing",
        holes: &[3],
        fails: &[
            "billing.dead_letters",
            "billing.goes_on_past_malformed",
            "billing.dead_letter_before_offset",
            "billing.survives_kills",
        ],
    },
    Open {
        file: BILLING,
        of: "billing",
        holes: &[4],
        fails: &["billing.dead_letter_before_offset"],
    },
    Open {
        file: EXACTLY_ONCE,
        of: "exactly_once",
        // Without a transactional id, the producer refuses to claim one and to begin a transaction.
        holes: &[1],
        fails: EXACTLY_ONCE_ALL,
    },
    Open {
        file: EXACTLY_ONCE,
        of: "exactly_once",
        holes: &[2],
        fails: EXACTLY_ONCE_ALL,
    },
    Open {
        file: EXACTLY_ONCE,
        of: "exactly_once",
        // The producer also refuses records that are sent before a transaction has begun.
        holes: &[3],
        fails: EXACTLY_ONCE_ALL,
    },
    Open {
        file: EXACTLY_ONCE,
        of: "exactly_once",
        // The first transaction never ends, so readers never see its records.
        holes: &[4],
        fails: EXACTLY_ONCE_ALL,
    },
    Open {
        file: EXACTLY_ONCE,
        of: "exactly_once",
        // A program that ends with the error is correct, too: its next run begins at the committed offset.
        holes: &[5],
        fails: &[],
    },
];

/// The checks that `exactly_once` fails if one of the holes 1 to 4 is open: then it copies nothing.
const EXACTLY_ONCE_ALL: &[&str] = &[
    "exactly_once.copies_purchases",
    "exactly_once.resumes",
    "exactly_once.stops_on_ctrl_c",
    "exactly_once.killed_in_transaction",
    "exactly_once.killed_after_commit",
    "exactly_once.offsets_in_transaction",
    "exactly_once.restart_waits_for_nobody",
    "exactly_once.second_fences_first",
    "exactly_once.aborted_comes_again",
];

/// The checks that the unchanged starters pass. For example, the consumer stops when it is asked to, and librdkafka's
/// timer commits the next offset, too.
const STARTERS_PASS: &[&str] = &[
    "consumer.commits_next_offset",
    "consumer.stops_on_ctrl_c",
    "scaling.alone_owns_all",
    "scaling.shares_2_and_1",
    "scaling.each_event_once",
    "scaling.commits",
    "scaling.stops_on_ctrl_c",
    "scaling.leaves_on_ctrl_c",
    "scaling.takes_over_after_kill",
    "crash.after_fifteen",
    "crash.dies_hard",
    "crash.commits_nothing",
    "crash.starts_again",
    "exactly_once.copies_purchases",
    "exactly_once.resumes",
    "exactly_once.stops_on_ctrl_c",
    "billing.charges_each_payment",
    "billing.commits",
    "billing.stops_on_ctrl_c",
    "billing.offsets_never_ahead",
];

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("starters::build_without_a_warning", without_warnings),
        trial(
            "starters::their_points_are_in_the_guide",
            points_are_documented,
        ),
    ];
    for task in TASKS {
        let name = format!(
            "starters::fail_the_checks_of_their_holes::task{}",
            task.number
        );
        trials.push(trial(&name, || fails_all_but_what_starters_pass(task)));
    }
    for open in OPEN {
        let name = format!(
            "starters::fail_for_an_open_hole::{}::{:?}",
            open.of, open.holes
        );
        trials.push(trial(&name, || fails_for_its_holes(open)));
    }
    trials
}

fn fails_all_but_what_starters_pass(task: &'static Task) -> Result<()> {
    let starters = Submission::of(programs(Version::Own)?);
    let ids = task.checks.iter().map(|check| check.id);
    let must_fail: Vec<&str> = ids.filter(|id| !STARTERS_PASS.contains(id)).collect();
    expect(&judge(&starters, &[task]), &must_fail)
}

/// Instructors need to know how many points a student gets without writing any code.
fn points_are_documented() -> Result<()> {
    let points = |bonus: bool| -> u32 {
        let tasks = TASKS.iter().filter(|task| task.bonus == bonus);
        tasks
            .flat_map(|task| task.checks)
            .filter(|check| STARTERS_PASS.contains(&check.id))
            .map(|check| check.points)
            .sum()
    };
    let words = format!(
        "scores {} of the 100 points, and {} of the 50 bonus points",
        points(false),
        points(true)
    );
    let guide = fs::read_to_string(workspace().join("docs/grading.md"))?.replace('\n', " ");
    ensure!(
        guide.contains(&words),
        "docs/grading.md does not say: {words}"
    );
    Ok(())
}

fn fails_for_its_holes(open: &Open) -> Result<()> {
    let source = holes::filled(open.file, |hole| !open.holes.contains(&hole))?;
    let name = format!("open_{:?}", open.holes).replace(|c: char| !c.is_alphanumeric(), "_");
    let submission = build(&name, open.of, Style::Solution, &source)?;
    let program = if open.of == "member" {
        "consumer_group_a"
    } else {
        open.of
    };
    let of_program = |task: &&Task| task.programs.contains(&program);
    let tasks: Vec<&Task> = TASKS.iter().filter(of_program).collect();
    expect(&judge(&submission, &tasks), open.fails)
}

fn without_warnings() -> Result<()> {
    let mut check = cargo("check");
    check.arg("--message-format=json");
    for program in PROGRAMS {
        check.args(["--package", program]);
    }
    let output = check.output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        let manifest = message["manifest_path"].as_str().unwrap_or_default();
        ensure!(
            message["reason"] != "compiler-message",
            "the compiler has a message for {manifest}: {}",
            message["message"]["rendered"].as_str().unwrap_or_default()
        );
    }
    Ok(())
}
