//! `cargo lab demo`: run to its end, stopped by Ctrl-C, and killed.

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use broker::wait;
use judge::Program;
use libtest_mimic::Trial;

use crate::command_line::CommandLine;
use crate::trial;

/// How long a demo may take to end after it was stopped, on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);

/// The longest wait for a line of the demo. The whole demo takes about 90 s. It takes longer on a busy machine, and if
/// Cargo has to build the programs first.
const DEMO_LIMIT: Duration = Duration::from_secs(600);

/// Times at which Ctrl-C might leave something behind: the command, and what it has printed by then.
const POINTS: &[(&str, &str)] = &[
    ("demo", "Finished"),
    ("demo", "It stops when the demo ends"),
    ("demo 2", "Run 1:"),
    ("demo 3", "Consumer B joins"),
    ("demo 3", "kill -9"),
    ("demo 4", "Run 2. The group"),
    ("demo 6", "Started again. The group"),
];

pub fn trials() -> Vec<Trial> {
    POINTS
        .iter()
        .map(|(demo, point)| {
            trial(
                &format!("demo::ctrl_c_leaves_nothing_running::{demo}, {point}"),
                || ctrl_c_at(demo, point),
            )
        })
        .chain([
            trial("demo::a_killed_demo_takes_kafka_with_it", killed),
            trial("demo::tells_all_tasks_and_succeeds", whole),
        ])
        .collect()
}

/// Starts the demo and waits until it has printed these words.
fn start_until(lab: &CommandLine, demo: &str, words: &str) -> Result<Program> {
    // Cargo prints to standard error. Both streams become one, so that the wait sees Cargo's lines, too.
    let mut shell = lab.shell(&format!("exec \"$0\" {demo} 2>&1"));
    let mut demo = Program::run("demo", &mut shell)?;
    demo.wait_for(&format!("`{words}`"), DEMO_LIMIT, |lines| {
        lines
            .iter()
            .any(|line| line.text.contains(words))
            .then_some(())
    })?;
    Ok(demo)
}

fn ctrl_c_at(demo: &str, point: &str) -> Result<()> {
    let lab = CommandLine::new()?;
    let mut demo = start_until(&lab, demo, point)?;
    demo.interrupt()?;
    let status = demo.wait_for_end(LIMIT)?;
    ensure!(
        status.code() == Some(130),
        "{status}: {}",
        demo.last_lines()
    );
    nothing_runs(&lab)
}

fn killed() -> Result<()> {
    let lab = CommandLine::new()?;
    start_until(&lab, "demo 3", "Consumer B joins")?.kill()?;
    nothing_runs(&lab)
}

fn whole() -> Result<()> {
    let lab = CommandLine::new()?;
    let printed = lab.run("demo")?;
    ensure!(
        printed.contains("Everything happened as the slides say"),
        "{printed}"
    );
    nothing_runs(&lab)
}

/// Waits until nothing listens on the lab's port any more, and no program that uses this port is running.
fn nothing_runs(lab: &CommandLine) -> Result<()> {
    let port = lab.port();
    wait::until("Kafka to be gone", LIMIT, || {
        Ok(TcpStream::connect(("127.0.0.1", port))
            .is_err()
            .then_some(()))
    })?;
    let address = format!("BOOTSTRAP_SERVERS=127.0.0.1:{port} ");
    wait::until("all programs to be gone", LIMIT, || {
        let ps = Command::new("ps")
            .args(["axeww", "-o", "command="])
            .output()?;
        let running = String::from_utf8_lossy(&ps.stdout);
        let left = running
            .lines()
            .any(|line| format!("{line} ").contains(&address));
        Ok((!left).then_some(()))
    })
}
