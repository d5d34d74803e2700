//! `cargo lab`: Kafka for the lab, its programs, and the demo.

mod check;
mod demo;
mod doctor;
mod grade;
mod hand_out;
mod hint;
mod kafka;
mod partitions;
mod pay;
mod progress;
mod progress_bar;
mod publish;
mod rejudge;
mod report;
mod review;
mod run;
mod tool;
mod usage;
mod watch;
mod write;

use std::path::PathBuf;
use std::process::ExitCode;

use broker::wait;
use clap::{Parser, Subcommand};

use crate::usage::Usage;

/// The exit status after Ctrl-C, as shells have it: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

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
    /// Grades submissions that nobody has read: workspaces, folders of programs, or archives of them
    Grade {
        #[arg(required_unless_present = "prepare")]
        submissions: Vec<PathBuf>,
        /// Only sees to it that everything is there that grading needs, so that it fetches nothing any more
        #[arg(long, conflicts_with = "submissions")]
        prepare: bool,
        /// How many at a time
        #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
        jobs: u16,
        /// Keeps the results there: a folder for each submission, a gradebook and a summary. What is there already is
        /// graded again only if it has changed
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// One JSON object for each submission on standard output, a line each
        #[arg(long)]
        json: bool,
    },
    /// Grades submissions and shows them: starter, submission and solution side by side, verdicts, and what happened
    Review {
        #[arg(required = true)]
        submissions: Vec<PathBuf>,
        /// The page of one submission (by default review-NAME.html), or the folder for the pages of several (by default
        /// review). Those that are there already are graded again only if they
        /// have changed
        #[arg(long, value_name = "FILE|DIR")]
        out: Option<PathBuf>,
        /// How many at a time
        #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
        jobs: u16,
    },
    /// Makes the repository to hand out: no solutions, and it works by itself
    Export {
        /// A new folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Makes the autograder for a platform
    Package {
        platform: Platform,
        /// Where it is written; by default kafka-lab-PLATFORM.zip
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
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
    ///
    /// A rebalance is logged when it is over: who joined, left or timed out, how long it took, which partitions moved, and how
    /// long they had no owner. All this is by the account of the group's coordinator: a member that was killed owns its
    /// partitions until its session times out. The group is looked at four times a second; the error of a time is given with it.
    ///
    /// rate/s is how many records the group has committed per second, over the last 10 s. Lag `-` means that nothing was
    /// committed there: that is not 0.
    ///
    /// Where standard output is no terminal, prints a table and then what changes.
    Watch {
        /// The consumer group, such as scale-group. If there is none of that name, waits for it
        #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
        group: String,
        /// Prints the table once. The exit status is 1 if there is no such group
        #[arg(long)]
        once: bool,
    },
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
        #[arg(value_parser = checks::programs::PROGRAMS.to_vec())]
        program: String,
        /// The solution instead of yours
        #[arg(long)]
        solution: bool,
    },
    /// One of Kafka's own tools
    #[command(external_subcommand)]
    Tool(Vec<String>),
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Platform {
    Gradescope,
}

fn main() -> ExitCode {
    confine::supervise_if_asked();
    common::end_with_the_reader();
    let arguments = Arguments::parse();
    if let Err(error) = ctrlc::set_handler(wait::interrupt) {
        eprintln!("Ctrl-C cannot be handled: {error}");
        return ExitCode::FAILURE;
    }
    let done = match arguments.command {
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
        Command::Grade { prepare: true, .. } => grade::prepare(),
        Command::Grade {
            submissions,
            jobs,
            out,
            json,
            ..
        } => grade::grade_class(submissions, jobs.into(), out, json),
        Command::Review {
            submissions,
            out,
            jobs,
        } => review::review_submissions(submissions, out, jobs.into()),
        Command::Export { folder } => hand_out::export(&folder),
        Command::Package {
            platform: Platform::Gradescope,
            file,
        } => hand_out::gradescope(file),
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
        Command::Watch { group, once } => watch::watch(&group, once),
        Command::Partitions { keys, partitions } => Ok(partitions::partitions(keys, partitions)),
        Command::Run { program, solution } => run::run(&program, solution),
        Command::Tool(words) => tool::tool(&words),
    };
    match done {
        Ok(code) => code,
        // Whatever failed since: Ctrl-C is why.
        Err(_) if wait::interrupted() => {
            eprintln!("Stopped by Ctrl-C. Nothing was left running.");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            eprintln!("Error: {error:#}");
            match error.downcast_ref() {
                Some(Usage(_)) => ExitCode::from(Usage::STATUS),
                None => ExitCode::FAILURE,
            }
        }
    }
}
