//! Which check judges which clause of the contract, and which programs of the bank show that it does: docs/coverage.md.

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
        why: "every check depends on it: brokers listen on ports that are chosen anew each time, on an address without a name",
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

/// A check that no program fails alone, and why.
struct NeverAlone {
    check: &'static str,
    /// Each program that fails it also fails one of these checks.
    with: &'static [&'static str],
    why: &'static str,
}

const NEVER_ALONE: &[NeverAlone] = &[
    NeverAlone {
        check: "producer.waits_for_acknowledgements",
        with: &["producer.publishes_100"],
        why: "if a program does not wait, its records never reach the broker, so no other check can pass",
    },
    NeverAlone {
        check: "scaling.alone_owns_all",
        with: &["scaling.shares_2_and_1"],
        why: "Kafka gives all partitions to a member that is alone. A program without a member, or with two of them, \
              does not share 2 and 1 with B",
    },
    NeverAlone {
        check: "scaling.shares_2_and_1",
        with: &["scaling.takes_over_after_kill"],
        why: "if A and B do not share the partitions, there is nothing that B could take over from A",
    },
    NeverAlone {
        check: "billing.knows_again_after_restart",
        with: &["billing.survives_kills"],
        why: "the other check also restarts the program, and then publishes charged payments again",
    },
    NeverAlone {
        check: "billing.killed_before_commit",
        with: &["billing.commits", "billing.survives_kills"],
        why: "a program that does not commit cannot be killed before its commit. The other programs are killed at this \
              moment by the second check, too",
    },
    NeverAlone {
        check: "exactly_once.killed_after_commit",
        with: &["exactly_once.offsets_in_transaction"],
        why: "the next run begins at the committed offsets. If it copies a purchase twice or never, these offsets do \
              not match the copies, and the other check compares the two",
    },
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

/// The programs of the bank that fail this check and as few others of its task as possible, and these others.
fn failing_with_fewest(bank: &[Entry], check: &Check) -> Result<(Vec<String>, Vec<&'static str>)> {
    let mut failing = Vec::new();
    for entry in bank
        .iter()
        .filter(|entry| entry.task().number == check.task)
    {
        let mut fails = entry.must_fail()?;
        if fails.contains(&check.id) {
            fails.retain(|id| *id != check.id);
            failing.push((entry.name.clone(), fails));
        }
    }
    let fewest = failing.iter().min_by_key(|(_, others)| others.len());
    let others = fewest.with_context(|| format!("no program of the bank fails {}", check.id))?;
    let others = others.1.clone();
    failing.retain(|(_, same)| *same == others);
    Ok((failing.into_iter().map(|(name, _)| name).collect(), others))
}

fn checks_are_failed_alone() -> Result<()> {
    let bank = bank()?;
    for check in all_checks() {
        let (names, others) = failing_with_fewest(&bank, check)?;
        let is_explained = NEVER_ALONE.iter().any(|never| never.check == check.id);
        ensure!(
            others.is_empty() || is_explained,
            "no program of the bank fails {} alone: add one, or say in NEVER_ALONE why there is none",
            check.id
        );
        ensure!(
            !others.is_empty() || !is_explained,
            "{} fails {} alone: remove this check from NEVER_ALONE",
            names.join(" or "),
            check.id
        );
    }
    for never in NEVER_ALONE {
        for id in [never.check].iter().chain(never.with) {
            let is_known = all_checks().any(|check| check.id == *id);
            ensure!(is_known, "NEVER_ALONE names {id}, which is no check");
        }
        for entry in &bank {
            let fails = entry.must_fail()?;
            ensure!(
                !fails.contains(&never.check) || never.with.iter().any(|with| fails.contains(with)),
                "{} fails {}, but none of {:?}: correct NEVER_ALONE",
                entry.name,
                never.check,
                never.with
            );
        }
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
             bank](misconceptions.md) that fail it, and the other checks of its task that\nthe same programs also fail. \
             A check is listed with the programs that fail the fewest others.\n\n\
             | check | programs | other checks that they fail |\n|---|---|---|\n";
    for check in all_checks() {
        let (names, others) = failing_with_fewest(&bank, check)?;
        let others: Vec<String> = others.iter().map(|id| format!("`{id}`")).collect();
        let others = if others.is_empty() {
            "none".to_string()
        } else {
            others.join(", ")
        };
        writeln!(text, "| `{}` | {} | {others} |", check.id, names.join(", "))?;
    }
    text += "\n## Checks that no program fails alone\n\n\
             | check | each program that fails it also fails | why |\n|---|---|---|\n";
    for never in NEVER_ALONE {
        let with = never.with.iter().map(|id| format!("`{id}`"));
        let with = with.collect::<Vec<_>>().join(" or ");
        writeln!(text, "| `{}` | {with} | {} |", never.check, never.why)?;
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
