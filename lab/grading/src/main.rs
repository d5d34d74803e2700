//! The commands for instructors: `cargo lab grade`, `review`, `export` and `package`. They are an executable of their own, because
//! students do not need them.

mod commands {
    pub mod gaps;
    pub mod grade;
    pub mod hand_out;
    pub mod queue;
    pub mod review;
}

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use broker::wait;
use clap::{Parser, Subcommand};
use terminal::run_command;

use crate::commands::{grade, hand_out, queue, review};

const EXIT_STATUS: &str = "\
The exit status is 0 if everything was judged, whatever the scores; 2 for a usage error; and 3 if something could not be judged, \
which never counts as zero.";

/// For instructors: grades submissions, shows them as pages, and makes what students and platforms get
#[derive(Parser)]
#[command(name = "cargo lab", bin_name = "cargo lab", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Grades submissions, whose programs run confined
    #[command(after_help = EXIT_STATUS)]
    Grade {
        /// A student's workspace, a folder of executables or Python scripts, or an archive of one of these
        #[arg(value_name = "SUBMISSION", required_unless_present_any = ["prepare", "status"])]
        submissions: Vec<PathBuf>,
        /// Only fetches and builds everything that grading needs. Grading itself then needs no network
        #[arg(long, conflicts_with = "submissions")]
        prepare: bool,
        /// How many submissions are graded at a time
        #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
        jobs: u16,
        /// Keeps the results in this folder: a folder for each submission, a gradebook, a summary, and an index. A submission
        /// that has a result there is graded again only if it or the lab has changed, or if something could not be judged
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// A table of students, as a learning platform exports it. The gradebook then begins with the columns by which the platform
        /// knows a student, so that it can be imported
        #[arg(long, value_name = "FILE", requires = "out")]
        roster: Option<PathBuf>,
        /// Stops after so many seconds, before a platform would. What has not been judged by then is not judged, and costs nothing
        #[arg(long, value_name = "SECONDS", conflicts_with = "prepare", value_parser = clap::value_parser!(u32).range(1..))]
        deadline: Option<u32>,
        /// Also writes a page that shows where the seconds went: by submission, task, check, and what was waited for
        #[arg(long, value_name = "FILE", conflicts_with = "prepare")]
        profile: Option<PathBuf>,
        /// Prints one JSON object for each submission, one per line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        through: queue::Through,
    },
    /// Judges submissions of classes that are graded with `grade --through`, until Ctrl-C
    Worker {
        #[command(flatten)]
        cluster: queue::Cluster,
        /// How many submissions are judged at a time
        #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
        jobs: u16,
        /// The folder with submissions that are too large for a message
        #[arg(long, value_name = "DIR")]
        shared: Option<PathBuf>,
    },
    /// What a worker starts for each job
    #[command(hide = true)]
    JudgeJobs {
        /// How many brokers are used at a time
        #[arg(long, value_name = "N")]
        brokers: usize,
        #[command(flatten)]
        cluster: queue::Cluster,
    },
    /// Grades submissions and shows them as pages: starter, submission and solution side by side, verdicts, and what happened
    #[command(after_help = EXIT_STATUS)]
    Review {
        /// A student's workspace, a folder of executables or Python scripts, or an archive of one of these
        #[arg(value_name = "SUBMISSION", required = true)]
        submissions: Vec<PathBuf>,
        /// For one submission: the file for its page; by default review-NAME.html. For several: the folder for their pages and
        /// other results, as with `grade`; by default review
        #[arg(long, value_name = "FILE|DIR")]
        out: Option<PathBuf>,
        /// How many submissions are graded at a time
        #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
        jobs: u16,
    },
    /// Makes the repository to hand out, without solutions
    Export {
        /// A folder that is empty, or that does not exist yet
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Makes the autograder for a platform
    Package {
        /// The platform that runs the autograder
        platform: Platform,
        /// For Gradescope: the archive to write, by default kafka-lab-gradescope.zip. For Classroom 50: the folder to make, by
        /// default kafka-lab-classroom50
        #[arg(value_name = "FILE|DIR")]
        path: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Platform {
    Gradescope,
    Classroom50,
}

fn main() -> ExitCode {
    judge::help_if_asked();
    run_command(|| run(Arguments::parse().command))
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Grade { prepare: true, .. } => grade::prepare(),
        Command::Grade {
            submissions,
            jobs,
            out,
            roster,
            deadline,
            profile,
            json,
            through,
            ..
        } => {
            if let Some(seconds) = deadline {
                wait::set_deadline(Duration::from_secs(seconds.into()));
            }
            grade::grade_class(
                submissions,
                jobs.into(),
                out,
                roster.as_deref(),
                profile.as_deref(),
                json,
                &through,
            )
        }
        Command::Worker {
            cluster,
            jobs,
            shared,
        } => queue::worker(cluster, jobs.into(), shared),
        Command::JudgeJobs { brokers, cluster } => queue::grader_process(cluster, brokers),
        Command::Review {
            submissions,
            out,
            jobs,
        } => review::review_submissions(submissions, out, jobs.into()),
        Command::Export { folder } => hand_out::export(&folder),
        Command::Package { platform, path } => match platform {
            Platform::Gradescope => hand_out::gradescope(path),
            Platform::Classroom50 => hand_out::classroom50(path),
        },
    }
}
