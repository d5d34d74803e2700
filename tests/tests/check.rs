//! `cargo lab check`, as a student or a grader's script uses it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use broker::{Cache, Way, run, wait};
use judge::programs::Version;
use judge::{Program, TASKS};
use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::command_line::{CommandLine, text};
use crate::{programs, trial};

/// The longest wait for one step, on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("check::json_is_as_promised", json),
        trial("check::history_shows_what_verdicts_say", history),
        trial("check::watch_judges_again_what_was_saved", watch),
        trial("check::ctrl_c_leaves_nothing_running", ctrl_c),
        trial("check::a_folder_without_programs_is_named", no_programs),
        trial("check::programs_get_the_language_of_grading", language),
        trial("check::without_kafka_nothing_is_judged", no_kafka),
    ];
    if matches!(Way::for_private(), Ok(Way::Jvm(_))) {
        trials.push(trial(
            "check::a_broker_that_dies_is_never_a_zero",
            broker_dies,
        ));
    }
    trials
}

/// A folder with links to the executables of the solutions.
fn solutions() -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    for (name, path) in programs(Version::Solution)? {
        symlink(path, folder.path().join(name))?;
    }
    Ok(folder)
}

fn check(folder: &Path, words: &str) -> String {
    format!("check {words} --programs {}", folder.display())
}

/// A producer that only prints its environment. The verdicts show what a program printed last.
fn language() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("producer");
    let prints = "echo \"its language: $LANG,$LC_ALL,$LC_NUMERIC,$LANGUAGE,$JAVA_TOOL_OPTIONS.\"";
    fs::write(&script, format!("#!/bin/sh\n{prints}\n"))?;
    fs::set_permissions(&script, Permissions::from_mode(0o755))?;
    let lab = CommandLine::new()?;
    let mut check = lab.command(&check(folder.path(), "1"));
    for name in ["LANG", "LC_ALL", "LC_NUMERIC", "LANGUAGE"] {
        check.env(name, "de_DE.UTF-8");
    }
    check.env("JAVA_TOOL_OPTIONS", "-Duser.language=de");
    let printed = text(&run(&mut check, LIMIT)?)?;
    ensure!(printed.contains("its language: C.UTF-8,,,,."), "{printed}");
    Ok(())
}

fn json() -> Result<()> {
    let folder = solutions()?;
    let printed = CommandLine::new()?.run(&check(folder.path(), "4 --json"))?;
    let report: Value = serde_json::from_str(&printed)?;
    ensure!(
        report["score"] == 12 && report["max_score"] == 12,
        "{printed}"
    );
    ensure!(report["verdict"] == "passed", "{printed}");
    ensure!(report["seconds"].as_f64() > Some(0.0), "{printed}");
    ensure!(
        report["submission"] == folder.path().display().to_string(),
        "{printed}"
    );
    let checks = report["checks"]
        .as_array()
        .context("the report has no list of checks")?;
    ensure!(checks.len() == TASKS[3].checks.len(), "{printed}");
    let fields = [
        "id",
        "task",
        "title",
        "verdict",
        "points",
        "max_points",
        "expected",
        "saw",
        "hint",
    ];
    for check in checks {
        let check = check.as_object().context("a check is not a JSON object")?;
        let names: Vec<&str> = check.keys().map(String::as_str).collect();
        let expected = BTreeMap::from(fields.map(|field| (field, ())));
        ensure!(
            names == expected.into_keys().collect::<Vec<_>>(),
            "{names:?}"
        );
    }
    Ok(())
}

/// A reader who has only the history finds in it what the verdicts on task 2 say.
fn history() -> Result<()> {
    let folder = solutions()?;
    let file = folder.path().join("history.jsonl");
    let words = format!("2 --json --history {}", file.display());
    let printed = CommandLine::new()?.run(&check(folder.path(), &words))?;
    let report: Value = serde_json::from_str(&printed)?;
    let saw = |id: &str| {
        let mut checks = report["checks"].as_array().into_iter().flatten();
        let check = checks.find(|check| check["id"] == id);
        let saw = check.and_then(|check| check["saw"].as_str());
        saw.with_context(|| format!("no verdict of {id}: {printed}"))
    };
    let text = fs::read_to_string(&file)?;
    let lines: Vec<Value> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    is_in_order(&lines)?;
    let ended = |f: &str, check: &str| -> Vec<&Value> {
        let ended = lines.iter().filter(|line| line["type"] != "invoke");
        ended
            .filter(|line| line["f"] == f && list(&line["checks"]).any(|seen| seen == check))
            .collect()
    };

    // The first run commits two batches.
    let id = "consumer.commits_next_offset";
    let commits = ended("commit", id);
    ensure!(commits.len() == 2, "{commits:?}");
    let lane = commits[0]["lane"].clone();
    let mut committed = BTreeMap::new();
    for commit in commits {
        ensure!(commit["type"] == "ok" && commit["run"] == 1, "{commit}");
        ensure!(commit["lane"] == lane, "{commit}");
        ensure!(commit["group"] == "analytics-service", "{commit}");
        committed.extend(commit["value"].as_object().into_iter().flatten());
    }
    let committed = offsets(committed)?;
    ensure!(saw(id)?.ends_with(&committed), "{committed}; {}", saw(id)?);
    let reported = ended("print", id);
    let reported = reported
        .iter()
        .filter(|line| line["value"] == "Committed batch of 20.");
    ensure!(reported.count() == 2, "{text}");

    // On the same lane, the third run is killed before its commit reaches the broker, and the fourth before it has the answer. On
    // another one, a run was killed in the middle of its first batch.
    let id = "consumer.redelivered_after_kill";
    let kills = ended("kill", id);
    let killed: BTreeSet<String> = kills
        .iter()
        .map(|kill| format!("{} {}", kill["lane"] == lane, kill["run"]))
        .collect();
    ensure!(
        ["true 3", "true 4", "false 1"]
            .iter()
            .all(|kill| killed.contains(*kill)),
        "{killed:?}"
    );
    ensure!(
        saw(id)?
            .ends_with("killed at 2 of 2 positions: each time, the next run read what it had to"),
        "{}",
        saw(id)?
    );
    let on_lane = |f: &str| -> Vec<&Value> {
        let seen = ended(f, id).into_iter();
        seen.filter(|line| line["lane"] == lane).collect()
    };
    let commits = on_lane("commit");
    let lost = commits.iter().rfind(|commit| commit["run"] == 4);
    let lost = lost.context("run 4 committed nothing")?;
    // A container's log names other ports than the gate knows.
    if matches!(Way::for_private(), Ok(Way::Jvm(_))) {
        ensure!(
            lost["type"] == "info" && lost["undelivered"] == true,
            "{lost}"
        );
    }
    let asked = on_lane("offset_fetch");
    let found = asked.iter().find(|line| line["run"] == 5);
    let found = found.context("run 5 asked for no offsets")?;
    for (partition, offset) in lost["value"].as_object().into_iter().flatten() {
        ensure!(found["value"][partition] == *offset, "{lost}; {found}");
    }
    Ok(())
}

/// The lines are numbered and sorted by time, and none is there twice. Every process does one thing at a time.
fn is_in_order(lines: &[Value]) -> Result<()> {
    let mut open = BTreeMap::new();
    let mut started = BTreeSet::new();
    let mut time = 0;
    for (number, line) in lines.iter().enumerate() {
        ensure!(line["index"].as_u64() == Some(number as u64), "{line}");
        ensure!(line["task"] == 2, "{line}");
        ensure!(line["time"].as_u64() >= Some(time), "{line}");
        time = line["time"].as_u64().unwrap_or_default();
        if line["f"] == "start" {
            ensure!(
                started.insert((line["lane"].as_u64(), line["run"].as_u64())),
                "{line} is there twice"
            );
        }
        let Some(process) = line["process"].as_u64() else {
            continue;
        };
        let request = (line["f"].to_string(), line["correlation_id"].to_string());
        if line["type"] == "invoke" {
            let other = open.insert(process, request);
            ensure!(other.is_none(), "{line} begins before {other:?} ends");
        } else {
            let begun = open.remove(&process);
            ensure!(
                begun == Some(request),
                "{line} ends, but {begun:?} had begun"
            );
        }
    }
    ensure!(open.is_empty(), "{open:?} did not end");
    ensure!(started.len() == 6, "{started:?}");
    Ok(())
}

/// The offsets of the three partitions, as verdicts say them.
fn offsets<'a>(by_key: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Result<String> {
    let offsets: BTreeMap<&String, &Value> = by_key.into_iter().collect();
    let keys: Vec<&str> = offsets.keys().map(|key| key.as_str()).collect();
    ensure!(
        keys == ["clickstream-0", "clickstream-1", "clickstream-2"],
        "{keys:?}"
    );
    let words: Vec<String> = offsets.values().map(ToString::to_string).collect();
    Ok(words.join(", "))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn watch() -> Result<()> {
    let folder = solutions()?;
    let lab = CommandLine::new()?;
    let mut command = lab.command(&check(folder.path(), "4 --watch"));
    let mut watch = Program::run("check --watch", &mut command)?;
    let reports = |wanted: usize| {
        move |lines: &[judge::Line]| {
            let reports = lines
                .iter()
                .filter(|line| line.text.starts_with("Waiting for you"));
            (reports.count() == wanted).then_some(())
        }
    };
    watch.wait_for("a report", LIMIT, reports(1))?;
    // Replaces the program in one step. If it were deleted first, the folder without it might be judged, too.
    let aside = tempfile::tempdir()?;
    let new = aside.path().join("new");
    symlink("/bin/true", &new)?;
    fs::rename(&new, folder.path().join("consumer_crash"))?;
    watch.wait_for("a second report", LIMIT, reports(2))?;
    let lines = watch.texts();
    ensure!(
        lines.iter().any(|line| line.starts_with("12 of 12")),
        "{lines:?}"
    );
    ensure!(
        lines.iter().any(|line| line.starts_with("0 of 12")),
        "{lines:?}"
    );
    watch.interrupt()?;
    let status = watch.wait_for_end(LIMIT)?;
    ensure!(status.success(), "{status}; {}", watch.last_lines());
    Ok(())
}

fn ctrl_c() -> Result<()> {
    let folder = solutions()?;
    let lab = CommandLine::new()?;
    let mut check = Program::run("check", &mut lab.command(&check(folder.path(), "")))?;
    check.wait_for("a verdict", LIMIT, |lines| {
        (!lines.is_empty()).then_some(())
    })?;
    let jvms = jvms_of(&check)?;
    check.interrupt()?;
    let status = check.wait_for_end(LIMIT)?;
    ensure!(
        status.code() == Some(130),
        "{status}; {}",
        check.last_lines()
    );
    for jvm in jvms {
        ensure!(
            !jvm.exists(),
            "the JVM in {} was not stopped",
            jvm.display()
        );
    }
    Ok(())
}

fn no_programs() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let output = CommandLine::new()?
        .command(&check(folder.path(), ""))
        .output()?;
    ensure!(output.status.code() == Some(2), "{}", output.status);
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.contains("contains none of the programs"), "{said}");
    Ok(())
}

fn no_kafka() -> Result<()> {
    let folder = solutions()?;
    let lab = CommandLine::new()?;
    let mut command = lab.command(&check(folder.path(), "4"));
    let no_docker = [
        ("KAFKA_LAB_BROKER", "docker"),
        ("DOCKER_HOST", "unix:///nobody"),
    ];
    let output = command.envs(no_docker).output()?;
    ensure!(output.status.code() == Some(3), "{}", output.status);
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(said.matches("no daemon answers").count() == 1, "{said}");
    ensure!(said.contains("not your fault"), "{said}");
    Ok(())
}

/// Kills the broker while the group is working. No check may fail because of that.
fn broker_dies() -> Result<()> {
    let folder = solutions()?;
    let lab = CommandLine::new()?;
    let mut check = Program::run("check", &mut lab.command(&check(folder.path(), "3")))?;
    let jvms = wait::until("a group to have members", LIMIT, || {
        let jvms = jvms_of(&check)?;
        let mut is_ready = !jvms.is_empty();
        for jvm in &jvms {
            let brokers = brokers_in(jvm)?;
            is_ready &= !brokers.is_empty();
            for broker in brokers {
                let log = fs::read_to_string(broker.join("requests.log")).unwrap_or_default();
                is_ready &= log.contains("SYNC_GROUP");
            }
        }
        Ok(is_ready.then_some(jvms))
    })?;
    for jvm in jvms {
        let pid = fs::read_to_string(jvm.join("pid"))?;
        kill(Pid::from_raw(pid.trim().parse()?), Signal::SIGKILL)?;
    }
    let status = check.wait_for_end(Duration::from_secs(600))?;
    ensure!(status.code() == Some(3), "{status}; {}", check.last_lines());
    let lines = check.texts();
    ensure!(!lines.iter().any(|line| line.starts_with('✗')), "{lines:?}");
    Ok(())
}

/// The folders of the brokers in the folder of their JVM.
fn brokers_in(jvm: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(jvm)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

/// The folders of the JVMs that this program has started: it is the parent of their keepers.
fn jvms_of(program: &Program) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(Cache::open()?.run())? {
        let folder = entry?.path();
        let keeper = fs::read_to_string(folder.join("keeper")).unwrap_or_default();
        let status = fs::read_to_string(format!("/proc/{}/status", keeper.trim()));
        let parent = format!("PPid:\t{}\n", program.pid());
        if status.is_ok_and(|status| status.contains(&parent)) {
            folders.push(folder);
        }
    }
    Ok(folders)
}
