//! `cargo test`: tests the lab as its users use it, on a real Kafka.
//!
//! Each test that needs a broker starts its own: with testcontainers if Docker answers, or else in a plain JVM. If
//! neither is possible, these tests fail and say so.

mod architecture;
mod attacks;
mod bank;
mod bench;
mod browser;
mod check;
mod clients;
mod command_line;
mod commands;
mod connections;
mod control_characters;
mod coverage;
mod crash_in_a_batch;
mod demo;
mod formats;
mod grade;
mod handout;
mod holes;
mod misuse;
mod new_topic;
mod outcomes;
mod packages;
mod pages;
mod partitions;
mod queue;
mod refused;
mod servers_jar;
mod slow_start;
mod starters;
mod told_once;
mod versions;
mod watch;
mod without_capability;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{LazyLock, OnceLock};

use anyhow::{Error, Result};
use broker::{Way, wait};
use judge::Pool;
use judge::programs::{PROGRAMS, Version, build};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::sync::Semaphore;

/// How many tests run at the same time, unless `--test-threads` says otherwise. Most of them wait for Kafka's timeouts, so more run
/// at a time than there are cores.
const SIDE_BY_SIDE: usize = 16;

/// A test that grades a class or uses a browser takes seats: one for each thing that it does at a time.
static SEATS: Semaphore = Semaphore::const_new(MOST_SEATS);
const MOST_SEATS: usize = 12;

/// What takes longest by itself, and hardly needs a core: the first because its client waits 0.1 s in each of a thousand
/// transactions, and the others because something never happens that a wrong program should do. They come first.
const SLOW: &[&str] = &[
    "bank::exactly_once::a_transaction_for_each_event",
    "bank::each_check_fails_one::scaling.alone_owns_all",
    "bank::each_check_fails_one::scaling.each_event_once",
    "bank::each_check_fails_one::consumer.redelivered_after_kill",
];

fn main() -> ExitCode {
    judge::help_if_asked();
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(SIDE_BY_SIDE);
    if !arguments.list {
        match Way::for_private() {
            Ok(way) => {
                println!("Kafka for the tests: {way}");
                if let Way::Docker(docker) = way {
                    // Testcontainers finds the daemon by this variable, but not by Docker's contexts.
                    // SAFETY: this process has only one thread so far.
                    unsafe { std::env::set_var("DOCKER_HOST", docker.host) };
                }
            }
            Err(error) => {
                println!("Kafka for the tests: NONE, so most of them will fail. {error:#}")
            }
        }
    }
    if !arguments.include_ignored && !arguments.ignored {
        println!(
            "Each check judges one program that it must fail. `cargo test -- --include-ignored` judges all wrong programs \
             by all checks, and right programs in other clients."
        );
    }
    if let Some(missing) = browser::missing() {
        println!(
            "Browser for the tests: NONE, so the tests of pages are skipped. Each of them {missing}."
        );
    }
    for missing in clients::missing() {
        println!("Programs in other clients: {missing}.");
    }
    // Ctrl-C ends every wait. Then each test stops what it has started.
    if let Err(error) = ctrlc::set_handler(wait::interrupt) {
        println!("Ctrl-C cannot be handled: {error}");
        return ExitCode::FAILURE;
    }
    // The longest come first, so that at the end none of them runs alone.
    let trials = [
        attacks::trials(),
        queue::trials(),
        bench::trials(),
        handout::trials(),
        clients::trials(),
        told_once::trials(),
        grade::trials(),
        demo::trials(),
        check::trials(),
        watch::trials(),
        refused::trials(),
        versions::trials(),
        formats::trials(),
        pages::trials(),
        misuse::trials(),
        outcomes::trials(),
        commands::trials(),
        connections::trials(),
        servers_jar::trials(),
        slow_start::trials(),
        without_capability::trials(),
        starters::trials(),
        new_topic::trials(),
        partitions::trials(),
        bank::trials(),
        architecture::trials(),
        control_characters::trials(),
        coverage::trials(),
        holes::trials(),
        packages::trials(),
    ];
    let mut trials: Vec<Trial> = trials.into_iter().flatten().collect();
    trials.sort_by_key(|trial| !SLOW.contains(&trial.name()));
    let code = libtest_mimic::run(&arguments, trials).exit_code();
    POOL.clear();
    code
}

/// The brokers that submissions are judged on.
static POOL: LazyLock<Pool> = LazyLock::new(Pool::default);

/// The executables of the starters or of the solutions, built once.
fn programs(version: Version) -> Result<BTreeMap<String, PathBuf>> {
    static OWN: Built = OnceLock::new();
    static SOLUTIONS: Built = OnceLock::new();
    let built = match version {
        Version::Own => &OWN,
        Version::Solution => &SOLUTIONS,
    };
    let result =
        built.get_or_init(|| build(PROGRAMS, version).map_err(|error| format!("{error:#}")));
    result.clone().map_err(Error::msg)
}

type Built = OnceLock<Result<BTreeMap<String, PathBuf>, String>>;

/// A test with this name. If it fails, the message contains the error's whole chain.
fn trial(name: &str, test: impl FnOnce() -> Result<()> + Send + 'static) -> Trial {
    Trial::test(name, move || {
        test().map_err(|error| Failed::from(format!("{error:#}")))
    })
}

/// A test that takes this many [`SEATS`], at most [`MOST_SEATS`].
fn busy_trial(name: &str, seats: u32, test: impl FnOnce() -> Result<()> + Send + 'static) -> Trial {
    trial(name, move || {
        let _taken = pollster::block_on(SEATS.acquire_many(seats))?;
        test()
    })
}
