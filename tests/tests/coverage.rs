//! Which check judges which clause of the contract, and which programs of the bank show that it does: docs/coverage.md.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, ensure};
use bank::{Entry, bank};
use judge::programs::{PROGRAMS, workspace};
use judge::{Check, TASKS, all_checks};
use libtest_mimic::Trial;

use crate::trial;

/// A clause of the contract that no check judges for these programs, and why. No programs means all that it binds.
struct NotJudged {
    clause: &'static str,
    programs: &'static [&'static str],
    why: &'static str,
}

const NOT_JUDGED: &[NotJudged] = &[
    NotJudged {
        clause: "E1",
        programs: &[],
        why: "every check depends on it: brokers listen on ports that are chosen anew each time",
    },
    NotJudged {
        clause: "E2",
        programs: &[],
        why: "every check depends on it: each run gets an empty folder and no input",
    },
    NotJudged {
        clause: "E3",
        programs: &[],
        why: "every check that reads lines depends on it",
    },
    NotJudged {
        clause: "E4",
        programs: &[],
        why: "it only permits something; correct programs of the bank make use of it",
    },
    NotJudged {
        clause: "E5",
        programs: &[
            "consumer",
            "consumer_group_a",
            "consumer_group_b",
            "consumer_crash",
            "billing",
            "exactly_once",
        ],
        why: "the limits of all checks leave a program at least this time",
    },
    NotJudged {
        clause: "E6",
        programs: &["producer", "consumer_crash"],
        why: "the producer reads nothing, and consumer_crash must not commit",
    },
    NotJudged {
        clause: "E7",
        programs: &["producer", "consumer_crash"],
        why: "it ends by itself within seconds",
    },
    NotJudged {
        clause: "E8",
        programs: &["consumer", "billing", "exactly_once"],
        why: "only in task 3 another member has to wait if somebody does not leave",
    },
    NotJudged {
        clause: "E8",
        programs: &["producer", "consumer_crash"],
        why: "the producer is in no group, and consumer_crash must not leave",
    },
    NotJudged {
        clause: "E9",
        programs: &[],
        why: "no task depends on it; systems that stop programs send it, so the programs should know it",
    },
    NotJudged {
        clause: "E10",
        programs: &["producer"],
        why: "it reads nothing",
    },
    NotJudged {
        clause: "E11",
        programs: &[],
        why: "it is a promise of the checks",
    },
];

/// Checks that no program of the bank fails alone, and why none can, or what stands in the way.
const NEVER_ALONE: &[(&str, &str)] = &[
    (
        "producer.reports_deliveries",
        "a program that reports a wrong offset has no other way to know the right one, so what it reports is judged at the \
         same time: reports_after_acknowledgement",
    ),
    (
        "producer.reports_after_acknowledgement",
        "without the acknowledgment, a program cannot know the offset that it must report: reports_deliveries",
    ),
    (
        "producer.waits_for_acknowledgements",
        "what is not waited for does not arrive, so nothing else of the events can be right either",
    ),
    (
        "consumer.redelivered_after_kill",
        "a program that fails here has committed too early, or does not resume: commits_after_processing, resumes",
    ),
    (
        "consumer.batches_of_20",
        "the running totals are due every 20 events: running_totals",
    ),
    (
        "consumer.resumes",
        "what is not resumed is not redelivered either: redelivered_after_kill",
    ),
    (
        "scaling.alone_owns_all",
        "a member that does not own all partitions alone shares nothing later: all other checks",
    ),
    (
        "scaling.shares_2_and_1",
        "members that share in another way read events twice or not at all: each_event_once",
    ),
    (
        "scaling.stops_on_ctrl_c",
        "a program that does not end does not leave its group: leaves_on_ctrl_c",
    ),
    (
        "scaling.takes_over_after_kill",
        "a B that does not take over is no member of A's group: shares_2_and_1",
    ),
    (
        "crash.commits_nothing",
        "after a commit, the next run starts elsewhere: starts_again",
    ),
    (
        "crash.starts_again",
        "only a commit makes the next run start elsewhere: commits_nothing",
    ),
    (
        "billing.charges_each_payment",
        "a program that charges wrongly does so in every scenario",
    ),
    (
        "billing.commits",
        "other scenarios wait for commits: killed_before_commit, offsets_never_ahead",
    ),
    (
        "billing.charges_duplicates_once",
        "duplicates also come after kills: survives_kills",
    ),
    (
        "billing.knows_again_after_restart",
        "what is forgotten at a restart is charged again after kills: killed_before_commit, survives_kills",
    ),
    (
        "billing.killed_before_commit",
        "one of the kills comes before a commit, too: survives_kills",
    ),
    (
        "billing.goes_on_past_malformed",
        "a program that is blocked commits no further: dead_letters",
    ),
    (
        "exactly_once.resumes",
        "every later scenario begins with a restart",
    ),
    (
        "exactly_once.killed_after_commit",
        "offsets that are not committed with the purchases also show in offsets_in_transaction",
    ),
    (
        "exactly_once.offsets_in_transaction",
        "offsets outside of the transaction also show after kills: killed_in_transaction, killed_after_commit",
    ),
    (
        "exactly_once.restart_waits_for_nobody",
        "the id that is not fixed also fences nobody: second_fences_first",
    ),
];

pub fn trials() -> Vec<Trial> {
    vec![
        trial(
            "coverage::every_clause_is_judged_or_it_is_said_why_not",
            clauses_are_judged,
        ),
        trial(
            "coverage::every_check_is_failed_alone_or_it_is_said_why_not",
            checks_are_failed_alone,
        ),
        trial("coverage::the_page_in_docs_is_up_to_date", page_is_kept),
    ]
}

/// A clause: its number, and what it says.
struct Clause {
    number: String,
    text: String,
}

impl Clause {
    /// The programs that it binds, by the letter of its number.
    fn binds(&self) -> &'static [&'static str] {
        match self.number.chars().next() {
            Some('P') => &["producer"],
            Some('C') => &["consumer"],
            Some('G') => &["consumer_group_a", "consumer_group_b"],
            Some('K') => &["consumer_crash"],
            Some('B') => &["billing"],
            Some('X') => &["exactly_once"],
            _ => PROGRAMS,
        }
    }

    /// The checks that judge it for this program.
    fn checks(&self, program: &str) -> Vec<&'static Check> {
        let tasks = TASKS.iter().filter(|task| task.programs.contains(&program));
        let checks = tasks.flat_map(|task| task.checks);
        checks
            .filter(|check| check.clauses.contains(&self.number.as_str()))
            .collect()
    }

    fn why_not(&self, program: &str) -> Option<&'static str> {
        let reason = NOT_JUDGED.iter().find(|reason| {
            let concerns = reason.programs.is_empty() || reason.programs.contains(&program);
            reason.clause == self.number && concerns
        })?;
        Some(reason.why)
    }
}

/// The clauses of docs/contract.md: list items that begin with a number such as **C5**.
fn clauses() -> Result<Vec<Clause>> {
    let contract = fs::read_to_string(workspace().join("docs/contract.md"))?;
    let items = contract.split("\n- **").skip(1);
    items
        .map(|item| {
            let (number, rest) = item.split_once("** ").context("a clause without a text")?;
            let text = rest.split("\n\n").next().unwrap_or_default();
            let words: Vec<&str> = text.split_whitespace().collect();
            Ok(Clause {
                number: number.to_string(),
                text: words.join(" "),
            })
        })
        .collect()
}

fn clauses_are_judged() -> Result<()> {
    let clauses = clauses()?;
    ensure!(
        clauses.len() > 40,
        "only {} clauses were found",
        clauses.len()
    );
    for clause in &clauses {
        for program in clause.binds() {
            let is_judged = !clause.checks(program).is_empty();
            let why_not = clause.why_not(program);
            ensure!(
                is_judged || why_not.is_some(),
                "no check judges {} for {program}: add one, or say in NOT_JUDGED why not",
                clause.number
            );
        }
    }
    for check in all_checks() {
        ensure!(!check.clauses.is_empty(), "{} judges no clause", check.id);
        for number in check.clauses {
            let is_known = clauses.iter().any(|clause| clause.number == *number);
            ensure!(is_known, "{} judges {number}, which is no clause", check.id);
        }
    }
    Ok(())
}

/// The programs of the bank that fail this check and no other check of its task.
fn failing_alone(bank: &[Entry], check: &Check) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in bank
        .iter()
        .filter(|entry| entry.task().number == check.task)
    {
        if entry.must_fail()? == [check.id] {
            names.push(entry.name.clone());
        }
    }
    Ok(names)
}

fn checks_are_failed_alone() -> Result<()> {
    let bank = bank()?;
    let ids: BTreeSet<&str> = all_checks().map(|check| check.id).collect();
    for (id, _) in NEVER_ALONE {
        ensure!(
            ids.contains(id),
            "NEVER_ALONE names {id}, which is no check"
        );
    }
    for check in all_checks() {
        let alone = failing_alone(&bank, check)?;
        let has_reason = NEVER_ALONE.iter().any(|(id, _)| *id == check.id);
        ensure!(
            alone.is_empty() == has_reason,
            "{} is failed alone by {alone:?}: NEVER_ALONE must have a reason if and only if nothing fails it alone",
            check.id
        );
    }
    Ok(())
}

fn page() -> Result<String> {
    let bank = bank()?;
    let mut text = String::from(
        "# Which check judges what\n\nFor each clause of [the contract](contract.md) and each program that it binds: \
         the checks that judge it.\nIf there are none, the page says why. `UPDATE_DOCS=1 cargo test -- coverage` writes \
         this page.\n\n| clause | program | checks, or why there are none |\n|---|---|---|\n",
    );
    for clause in clauses()? {
        let mut cells: Vec<(Vec<&str>, String)> = Vec::new();
        for program in clause.binds() {
            let checks = clause.checks(program);
            let cell = if checks.is_empty() {
                format!(
                    "not judged: {}",
                    clause.why_not(program).unwrap_or_default()
                )
            } else {
                let ids = checks.iter().map(|check| format!("`{}`", check.id));
                ids.collect::<Vec<_>>().join(", ")
            };
            match cells.iter_mut().find(|(_, known)| *known == cell) {
                Some((programs, _)) => programs.push(program),
                None => cells.push((vec![program], cell)),
            }
        }
        let mut head = format!("**{}** {}", clause.number, clause.text.replace('|', "\\|"));
        for (programs, cell) in cells {
            let programs = if programs == PROGRAMS {
                "all".to_string()
            } else {
                programs.join(", ")
            };
            writeln!(text, "| {head} | {programs} | {cell} |")?;
            head.clear();
        }
    }
    text += "\n## Which wrong programs show that a check works\n\nFor each check: the programs of [the \
             bank](misconceptions.md) that fail it and no other check of its task. If there\nare none, the page says why.\n\n\
             | check | programs that fail it alone |\n|---|---|\n";
    for check in all_checks() {
        let alone = failing_alone(&bank, check)?;
        let why = NEVER_ALONE.iter().find(|(id, _)| *id == check.id);
        let cell = why.map_or_else(|| alone.join(", "), |(_, why)| format!("none: {why}"));
        writeln!(text, "| `{}` | {cell} |", check.id)?;
    }
    Ok(text)
}

fn page_is_kept() -> Result<()> {
    let path = workspace().join("docs/coverage.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, page()?)?;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    ensure!(
        kept == page()?,
        "docs/coverage.md is out of date; UPDATE_DOCS=1 cargo test -- coverage writes it again"
    );
    Ok(())
}
