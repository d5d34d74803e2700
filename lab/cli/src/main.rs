//! `cargo lab`: Kafka for the lab, its programs, and the demo.

mod check;
mod demo;
mod doctor;
mod extras;
mod hint;
mod kafka;
mod partitions;
mod pay;
mod progress;
mod publish;
mod rejudge;
mod run;
mod task_number;
mod tool;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use terminal::run_command;

use crate::extras::{GRADING, WATCH, become_extra};

const TOOLS: &str = "Kafka's own tools, with the slides' arguments (--bootstrap-server is filled in):
  kafka-topics, kafka-console-producer, kafka-console-consumer, kafka-consumer-groups, kafka-configs, kafka-get-offsets";

/// Kafka in practice: starts a real Kafka, runs the lab's programs, and shows what they do to each other.
#[derive(Parser)]
#[command(name = "cargo lab", bin_name = "cargo lab", version, after_help = TOOLS)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the tasks with the solutions and tells what happens; starts Kafka if none runs, and stops it then
    Demo {
        /// Only this task
        task: Option<u32>,
        /// On a cluster of your own: delete and recreate the lab's topics and groups there first
        #[arg(long)]
        reset: bool,
        /// Writes a page that shows what happened: partitions over time, commits, kills, what came again
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
    },
    /// Judges your programs by what they do: every check with its points, what it expected, saw, and a hint
    Check {
        /// Only this task
        task: Option<u32>,
        /// A folder of executables or Python scripts with the programs' names, instead of your crates
        #[arg(long, value_name = "DIR")]
        programs: Option<PathBuf>,
        /// One JSON object on standard output
        #[arg(long)]
        json: bool,
        /// Goes on: judges a task again whenever you save one of its programs
        #[arg(long, conflicts_with = "json")]
        watch: bool,
        /// Writes a page with the verdicts, and what happened where a check failed
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
    },
    /// For instructors: grades submissions: workspaces, folders of programs, or archives of either
    Grade(Words),
    /// For instructors: grades submissions and shows starter, submission and solution side by side, as pages
    Review(Words),
    /// For instructors: makes the repository to hand out, without solutions
    Export(Words),
    /// For instructors: makes the autograder for a platform, such as Gradescope
    Package(Words),
    /// Gives the next hint for a task; once it passes, shows how the solution differs from what you wrote
    Hint { task: u32 },
    /// Checks that all is there: compiler, Docker or Java, Kafka, the topics
    Doctor,
    /// Starts Kafka on localhost:9092 with the lab's topics
    Up,
    /// Stops it, and removes its data
    Down,
    /// Says which Kafka runs, and what its topics and groups hold
    Status,
    /// Empties the lab's topics and forgets its groups
    Reset {
        /// On a cluster of your own, too
        #[arg(long)]
        yes: bool,
    },
    /// Publishes random events to clickstream, as the producer does once it works
    Publish {
        #[arg(value_name = "N", default_value_t = 100)]
        events: u64,
    },
    /// Publishes random payments for billing, and says what each user is to be charged
    Pay {
        #[arg(value_name = "N", default_value_t = 50)]
        payments: u64,
        /// So many of them twice, the second time in any partition
        #[arg(long, value_name = "K", default_value_t = 0)]
        duplicates: usize,
        /// So many messages besides that are no payments
        #[arg(long, value_name = "K", default_value_t = 0)]
        malformed: usize,
    },
    /// Shows a consumer group live: who owns which partition, committed offsets, lag, and every rebalance
    Watch(Words),
    /// Shows why 100 events are not spread 33-33-34: which key goes to which partition, and what one more partition changes
    ///
    /// Needs no Kafka. The shares are what to expect if every key has equally many events; how many it really has is chance.
    Partitions {
        /// The keys; by default user_1 to user_20
        #[arg(value_name = "KEY")]
        keys: Vec<String>,
        /// How many partitions the topic has
        #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
        partitions: u32,
    },
    /// Builds and runs a lab program in this folder: yours, or its solution
    Run {
        #[arg(value_parser = judge::programs::PROGRAMS.to_vec())]
        program: String,
        /// The solution instead of yours
        #[arg(long)]
        solution: bool,
    },
    /// One of Kafka's own tools
    #[command(external_subcommand)]
    Tool(Vec<String>),
}

/// The words of a command that is an executable of its own, which knows what they mean.
#[derive(Args)]
#[command(disable_help_flag = true)]
struct Words {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    words: Vec<OsString>,
}

fn main() -> ExitCode {
    confine::supervise_if_asked();
    run_command(|| run(Arguments::parse().command))
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Demo {
            task,
            reset,
            report,
        } => demo::demo(task, reset, report.as_deref()),
        Command::Check {
            task,
            programs,
            json,
            watch,
            report,
        } => check::What::new(task, programs)
            .and_then(|what| check::check(&what, &check::Told { json, page: report }, watch)),
        Command::Grade(words) => grading("grade", words),
        Command::Review(words) => grading("review", words),
        Command::Export(words) => grading("export", words),
        Command::Package(words) => grading("package", words),
        Command::Hint { task } => hint::hint(task),
        Command::Doctor => doctor::doctor(),
        Command::Up => kafka::up(),
        Command::Down => kafka::down(),
        Command::Status => kafka::status(),
        Command::Reset { yes } => kafka::reset(yes),
        Command::Publish { events } => publish::publish(events),
        Command::Pay {
            payments,
            duplicates,
            malformed,
        } => pay::pay(payments, duplicates, malformed),
        Command::Watch(Words { words }) => become_extra(WATCH, words),
        Command::Partitions { keys, partitions } => Ok(partitions::partitions(keys, partitions)),
        Command::Run { program, solution } => run::run(&program, solution),
        Command::Tool(words) => tool::tool(&words),
    }
}

fn grading(command: &str, Words { words }: Words) -> Result<ExitCode> {
    become_extra(GRADING, [command.into()].into_iter().chain(words))
}
