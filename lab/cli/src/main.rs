//! `cargo lab`: Kafka for the lab, its programs, their checks, and the demo.

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

use crate::check::{Output, Selection};
use crate::extras::{BENCH, GRADING, WATCH, become_extra};

const TOOLS: &str = "\
Kafka's own tools, with the same arguments as on the slides (--bootstrap-server is added for you):
  kafka-topics, kafka-console-producer, kafka-console-consumer, kafka-consumer-groups, kafka-configs, kafka-get-offsets";

const EXIT_STATUS: &str = "\
The exit status is 0 if everything was judged, whatever the score; 2 for a usage error; and 3 if something could not be judged.";

/// Kafka in practice: starts a real Kafka, runs the lab's programs, and checks what they do
#[derive(Parser)]
#[command(name = "cargo lab", bin_name = "cargo lab", version, after_help = TOOLS, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The commands, in the order in which the help lists them. Those that students need first come first.
#[derive(Subcommand)]
enum Command {
    /// Checks that everything the lab needs is installed, and says how to install what is missing
    Doctor,
    /// Starts Kafka on 127.0.0.1:9092, and creates the lab's topics
    Up,
    /// Builds a lab program and runs it in the current folder: your program, or the solution
    Run {
        /// The name of the program
        #[arg(value_parser = judge::programs::PROGRAMS.to_vec())]
        program: String,
        /// Runs the solution instead of your program
        #[arg(long)]
        solution: bool,
    },
    /// Judges your programs by what they do. A check that fails says what it expected and saw, and gives a hint
    #[command(after_help = EXIT_STATUS)]
    Check {
        /// The number of the task to judge; by default all tasks
        task: Option<u32>,
        /// Judges the executables or Python scripts in this folder instead of your crates; they must have the programs'
        /// names
        #[arg(long, value_name = "DIR")]
        programs: Option<PathBuf>,
        /// Prints the report as one JSON object
        #[arg(long)]
        json: bool,
        /// Keeps running, and judges a task again whenever you save one of its programs
        #[arg(long, conflicts_with = "json")]
        watch: bool,
        /// Also writes a page with the verdicts, and with what happened in each check that failed
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
        /// Also writes all that happened, as JSON Lines in the words of Jepsen's tests of Kafka, so that other tools can check
        /// the verdicts
        #[arg(long, value_name = "FILE")]
        history: Option<PathBuf>,
    },
    /// Gives the next hint for a task; once the task passes, shows how the solution differs from your program
    Hint {
        /// The number of the task
        task: u32,
    },
    /// Shows which Kafka is running, and its topics, groups, owners, committed offsets, and lag
    Status,
    /// Shows a consumer group live: who owns which partition, committed offsets, lag, and every rebalance
    Watch(Words),
    /// Empties the lab's topics, and deletes the lab's groups
    Reset {
        /// Allows this on a cluster of your own (BOOTSTRAP_SERVERS), too
        #[arg(long)]
        yes: bool,
    },
    /// Stops Kafka, and deletes its data
    Down,
    /// Runs the tasks with the solutions and explains what happens; starts Kafka if none is running, and stops it at the end
    Demo {
        /// The number of the task to run; by default all tasks
        task: Option<u32>,
        /// On a cluster of your own: first empties the lab's topics, and deletes the lab's groups
        #[arg(long)]
        reset: bool,
        /// Also writes a page that shows what happened: partitions over time, commits, kills, and records that were sent
        /// again
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
    },
    /// Shows why 100 events are not spread 33-33-34: which key goes to which partition, and what one more partition changes
    ///
    /// This command needs no Kafka. It shows the shares that you can expect if all keys have the same number of events. How
    /// many events a key really has is random.
    Partitions {
        /// The keys; by default user_1 to user_20
        #[arg(value_name = "KEY")]
        keys: Vec<String>,
        /// The number of partitions that the topic has
        #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
        partitions: u32,
        /// The client whose producer publishes; may be given several times; by default librdkafka and java
        #[arg(long = "client", value_name = "NAME", value_parser = partitions::client())]
        clients: Vec<partitions::Layout>,
    },
    /// Publishes random events to clickstream, as your producer will when it works
    Publish {
        /// The number of events
        #[arg(value_name = "N", default_value_t = 100)]
        events: u64,
    },
    /// Publishes random payments for task 5, and shows what each user must be charged
    Pay {
        /// The number of payments
        #[arg(value_name = "N", default_value_t = 50)]
        payments: u64,
        /// How many of the payments are published twice, the second time to a random partition
        #[arg(long, value_name = "K", default_value_t = 0)]
        duplicates: usize,
        /// How many messages that are not payments are published as well
        #[arg(long, value_name = "K", default_value_t = 0)]
        malformed: usize,
    },
    /// Measures what a commit costs: the speed of a consumer, and what comes again after a crash
    Bench(Words),
    /// For instructors: grades submissions, whose programs run confined
    Grade(Words),
    /// For instructors: judges submissions of a class that is graded on many machines
    Worker(Words),
    /// For instructors: grades submissions and shows them as pages: starter, submission and solution side by side
    Review(Words),
    /// For instructors: makes the repository to hand out, without solutions
    Export(Words),
    /// For instructors: makes the autograder for Gradescope or Classroom 50
    Package(Words),
    /// Shows this help, or the help of a command
    Help {
        /// The command to explain
        #[arg(value_name = "COMMAND")]
        command: Option<String>,
    },
    /// One of Kafka's own tools
    #[command(external_subcommand)]
    Tool(Vec<String>),
}

/// The arguments of a command that is an executable of its own. That executable parses them, and prints the command's help.
#[derive(Args)]
#[command(disable_help_flag = true)]
struct Words {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    words: Vec<OsString>,
}

fn main() -> ExitCode {
    judge::help_if_asked();
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
            history,
        } => {
            let output = Output {
                json,
                page: report,
                history,
            };
            check::check(&Selection::new(task, programs)?, &output, watch)
        }
        Command::Grade(words) => grading("grade", words),
        Command::Worker(words) => grading("worker", words),
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
        Command::Bench(Words { words }) => become_extra(BENCH, words),
        Command::Partitions {
            keys,
            partitions,
            clients,
        } => Ok(partitions::partitions(keys, partitions, &clients)),
        Command::Run { program, solution } => run::run(&program, solution),
        Command::Help { command } => help(command),
        Command::Tool(words) => tool::tool(&words),
    }
}

/// Does the same as the command with `--help`, so that executables of their own and Kafka's tools print their help themselves.
fn help(command: Option<String>) -> Result<ExitCode> {
    let words = ["cargo lab".to_string()].into_iter().chain(command);
    run(Arguments::parse_from(words.chain(["--help".to_string()])).command)
}

fn grading(command: &str, Words { words }: Words) -> Result<ExitCode> {
    become_extra(GRADING, [command.into()].into_iter().chain(words))
}
