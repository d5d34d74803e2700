//! The commands for instructors: `cargo lab grade`, `review`, `export` and `package`. An executable of its own, because
//! students do not need it.

mod commands {
    pub mod grade;
    pub mod hand_out;
    pub mod review;
}

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use terminal::run_command;

use crate::commands::{grade, hand_out, review};

/// For instructors: grades submissions, shows them, and makes what is handed out.
#[derive(Parser)]
#[command(name = "cargo lab", bin_name = "cargo lab", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
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
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Platform {
    Gradescope,
}

fn main() -> ExitCode {
    confine::supervise_if_asked();
    run_command(|| run(Arguments::parse().command))
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
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
    }
}
