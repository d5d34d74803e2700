//! `cargo lab kafka-…`: runs Kafka's own tools, and explains their answers when they print a stack trace or nothing.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use anyhow::{Context, Result};
use broker::tools;

/// Runs a tool; the first word is its name.
pub fn tool(words: &[String]) -> Result<ExitCode> {
    let (name, arguments) = words.split_first().context("no tool was named")?;
    if !tools::names().any(|tool| tool == name) {
        let known: Vec<_> = tools::names().collect();
        anyhow::bail!(
            "there is no command `{name}`. `cargo lab --help` lists all commands; Kafka's tools are {}",
            known.join(", ")
        );
    }
    let shared = terminal::running()?;
    match name.as_str() {
        "kafka-consumer-groups" => groups(tools::command(&shared, name, arguments)?, arguments),
        // These are interactive: they read standard input, or print as records arrive.
        "kafka-console-producer" | "kafka-console-consumer" => {
            Ok(code(tools::run(&shared, name, arguments)?))
        }
        _ => {
            let output = tools::command(&shared, name, arguments)?
                .stdin(Stdio::null())
                .output()?;
            print!("{}", without_trace(&output.stdout));
            eprint!("{}", without_trace(&output.stderr));
            if [output.stdout, output.stderr]
                .concat()
                .windows(20)
                .any(|part| part == b"TopicExistsException")
            {
                eprintln!("The topic already exists. (`cargo lab up` creates the lab's topics.)");
            }
            Ok(code(output.status))
        }
    }
}

/// What a tool printed, without Java's stack traces.
fn without_trace(text: &[u8]) -> String {
    let is_trace = |line: &str| {
        let line = line.trim_start();
        line.starts_with("at ") || line.starts_with("Caused by:") || line.starts_with("... ")
    };
    let text = String::from_utf8_lossy(text);
    let kept = text.lines().filter(|line| !is_trace(line));
    kept.map(|line| format!("{line}\n")).collect()
}

/// The tool's exit status as our own. If a signal ended it, the exit status is 128 plus the signal's number, as in shells.
fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// Runs `kafka-consumer-groups`, and explains three answers: there is no such group, no rows, and `-` as an offset.
fn groups(mut command: Command, arguments: &[String]) -> Result<ExitCode> {
    let output = command.stdin(Stdio::null()).output()?;
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    let group = value_of(arguments, "--group").unwrap_or("the group");
    if out.contains("GroupIdNotFoundException") || err.contains("GroupIdNotFoundException") {
        println!("{}", terminal::no_group(group));
        return Ok(ExitCode::SUCCESS);
    }
    print!("{}", without_trace(&output.stdout));
    eprint!("{}", without_trace(&output.stderr));
    let describes = arguments.iter().any(|argument| argument == "--describe");
    let has_rows = out.lines().any(|line| line.contains("CURRENT-OFFSET"));
    if describes && output.status.success() {
        let all_committed = !out.lines().any(uncommitted);
        if !has_rows {
            println!(
                "Group {group} has no members and has committed nothing, so Kafka has no rows to show. For Kafka, the \
                 group has not processed any record yet."
            );
        } else if !all_committed {
            println!(
                "`-` in CURRENT-OFFSET means that the group has committed no offset for this partition. That is not offset 0, \
                 and not lag 0."
            );
        }
    }
    Ok(ExitCode::from(
        u8::try_from(output.status.code().unwrap_or(1)).unwrap_or(1),
    ))
}

/// Is this a row for a partition without a committed offset? Its columns begin with GROUP, TOPIC, PARTITION, CURRENT-OFFSET.
fn uncommitted(line: &str) -> bool {
    let columns: Vec<&str> = line.split_whitespace().collect();
    columns.len() > 4 && columns[2].parse::<i32>().is_ok() && columns[3] == "-"
}

/// The value of an option given as `--name value` or `--name=value`.
fn value_of<'a>(arguments: &'a [String], option: &str) -> Option<&'a str> {
    arguments.iter().enumerate().find_map(|(at, argument)| {
        let rest = argument.strip_prefix(option)?;
        match rest.strip_prefix('=') {
            Some(value) => Some(value),
            None if rest.is_empty() => arguments.get(at + 1).map(String::as_str),
            None => None,
        }
    })
}
