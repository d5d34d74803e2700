//! `cargo lab worker`, and what `cargo lab grade --through` needs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use grading::queue::{Connection, Status, judge_jobs, work};
use terminal::Usage;

use crate::commands::gaps::print_gaps;

/// The options of a worker's cluster.
#[derive(Args)]
pub struct Cluster {
    /// The Kafka in which submissions wait for workers
    #[arg(long, value_name = "HOST:PORT")]
    through: String,
    /// What Kafka's clients need to log in: a file with settings of librdkafka, one `name=value` in a line
    #[arg(long, value_name = "FILE")]
    kafka_settings: Option<PathBuf>,
}

impl Cluster {
    fn connection(self) -> Result<Connection> {
        connection(self.through, self.kafka_settings)
    }
}

/// The options of a class that is graded by workers.
#[derive(Args, Default)]
pub struct Through {
    /// Lets workers grade, which run on other machines (`cargo lab worker`). The submissions wait for them in this Kafka
    #[arg(
        long,
        value_name = "HOST:PORT",
        conflicts_with_all = ["jobs", "profile", "prepare"]
    )]
    through: Option<String>,
    /// What Kafka's clients need to log in: a file with settings of librdkafka, one `name=value` in a line
    #[arg(long, value_name = "FILE", requires = "through")]
    kafka_settings: Option<PathBuf>,
    /// A folder that all machines see, for submissions that are too large for a message (8 MB)
    #[arg(long, value_name = "DIR", requires = "through")]
    pub shared: Option<PathBuf>,
    /// Only shows how far the classes in this Kafka are, and which workers there are
    #[arg(long, requires = "through", conflicts_with_all = ["submissions", "out"])]
    pub status: bool,
}

impl Through {
    /// The cluster; `None` if this machine grades.
    ///
    /// # Errors
    /// [`Usage`], if the file with settings cannot be read.
    pub fn connection(&self) -> Result<Option<Connection>> {
        let through = self.through.clone();
        let settings = self.kafka_settings.clone();
        through
            .map(|servers| connection(servers, settings))
            .transpose()
    }
}

fn connection(servers: String, settings: Option<PathBuf>) -> Result<Connection> {
    Ok(Connection::new(servers, settings).map_err(|error| Usage(format!("{error:#}")))?)
}

/// Judges submissions of a cluster, `jobs` at a time, until Ctrl-C.
pub fn worker(cluster: Cluster, jobs: usize, shared: Option<PathBuf>) -> Result<ExitCode> {
    print_gaps();
    work(&cluster.connection()?, jobs, shared.as_deref())?;
    Ok(ExitCode::SUCCESS)
}

/// What the processes do that a worker starts. Each uses up to so many brokers at the same time.
pub fn grader_process(cluster: Cluster, brokers: usize) -> Result<ExitCode> {
    judge_jobs(&cluster.connection()?, brokers)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints how far the classes of a cluster are.
pub fn status(connection: &Connection) -> Result<ExitCode> {
    print!("{}", Status::of(connection)?);
    Ok(ExitCode::SUCCESS)
}
