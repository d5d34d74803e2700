//! `cargo lab kafka-…`: Kafka's own tools, and a word where they answer with a stack trace or with nothing.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use anyhow::{Context, Result};
use broker::tools;

pub fn tool(words: &[String]) -> Result<ExitCode> {
    let (name, arguments) = words.split_first().context("no tool was named")?;
    if !tools::names().any(|tool| tool == name) {
        let known: Vec<_> = tools::names().collect();
        anyhow::bail!(
            "there is no command `{name}`. `cargo lab --help` lists them; Kafka's tools here are {}",
            known.join(", ")
        );
    }
    let lab = terminal::running()?;
    match name.as_str() {
        "kafka-consumer-groups" => groups(tools::command(&lab, name, arguments)?, arguments),
        // These are talked to, or read from as they go.
        "kafka-console-producer" | "kafka-console-consumer" => {
            Ok(code(tools::run(&lab, name, arguments)?))
        }
        _ => {
            let output = tools::command(&lab, name, arguments)?
                .stdin(Stdio::null())
                .output()?;
            print!("{}", without_trace(&output.stdout));
            eprint!("{}", without_trace(&output.stderr));
            if [output.stdout, output.stderr]
                .concat()
                .windows(20)
                .any(|part| part == b"TopicExistsException")
            {
                eprintln!("The topic is there already. (`cargo lab up` makes those of the lab.)");
            }
            Ok(code(output.status))
        }
    }
}

/// What a tool printed, less Java's stack traces.
fn without_trace(text: &[u8]) -> String {
    let is_trace = |line: &str| {
        let line = line.trim_start();
        line.starts_with("at ") || line.starts_with("Caused by:") || line.starts_with("... ")
    };
    let text = String::from_utf8_lossy(text);
    let kept = text.lines().filter(|line| !is_trace(line));
    kept.map(|line| format!("{line}\n")).collect()
}

/// The same exit status for us; 128 and its number after a signal, as shells have it.
fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// Runs `kafka-consumer-groups` and explains what it leaves unexplained.
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
                "Group {group} has no members and has committed nothing, so Kafka has no rows to show: every record \
                 is still to be read."
            );
        } else if !all_committed {
            println!(
                "`-` in CURRENT-OFFSET means that nothing was committed there. That is not offset 0, and not lag 0."
            );
        }
    }
    Ok(ExitCode::from(
        u8::try_from(output.status.code().unwrap_or(1)).unwrap_or(1),
    ))
}

/// A row of a partition whose third column after the group and topic, CURRENT-OFFSET, is `-`.
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
