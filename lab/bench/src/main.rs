//! `cargo lab bench`: measures what a commit costs. It is an executable of its own, because few people need it.

mod beside;
mod consumer;
mod exactly_once;
mod growth;
mod java;
mod limit;
mod machine;
mod page;
mod pause;
mod plan;
mod producer;
mod python;
mod results;
mod rounds;
mod solutions;
mod spread;
mod stand;
mod trade;
mod yours;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use terminal::{ProgressBar, ensure_writable, run_command, write_file, write_page};

use crate::beside::Beside;
use crate::machine::machine;
use crate::plan::Plan;
use crate::results::Results;
use crate::solutions::Solutions;
use crate::stand::Stand;
use crate::yours::Own;

/// Measures what a commit costs on this machine: the speed of a consumer, and what comes again after a crash
///
/// This starts a Kafka of its own, publishes a million events, and reads them in batches of 1 to 10,000, with commits that wait
/// for the broker's answer (sync), commits that do not wait (async), and without commits. Then consumers crash at the worst
/// moment, and the next run counts the events that come again. It also shows how near the consumer comes to the limit of the
/// Kafka client, and how long a fast consumer waits for librdkafka's pause. If you have the solutions, it measures the producer
/// with several settings, and what exactly-once costs.
///
/// Choices take turns, so compare them by their ratios: these depend less on the machine than the speeds.
///
/// The programs that are measured are built with optimization. The first such build takes a few minutes.
#[derive(Parser)]
#[command(name = "cargo lab bench", bin_name = "cargo lab bench")]
struct Arguments {
    /// Measures less: takes under two minutes instead of up to fifteen
    #[arg(long)]
    quick: bool,
    /// Measures your own consumer, too, whose batches have N events, and puts it on the picture
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    batch: Option<u64>,
    /// With --batch: the executable of your consumer; by default it is built from your crate, with optimization
    #[arg(long, value_name = "PATH", requires = "batch")]
    program: Option<PathBuf>,
    /// Also measures one to four consumers on 3 and on 12 partitions, and the memory that ten million events take; this takes
    /// some minutes more, and 3 GB of disk
    #[arg(long)]
    growth: bool,
    /// Also measures the executables `consumer` and `producer` in FOLDER, which are written for another client
    #[arg(long, value_name = "FOLDER")]
    beside: Option<PathBuf>,
    /// Also writes the figures as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also writes a page with a picture and tables
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// Also writes the picture alone, as SVG
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
}

fn main() -> ExitCode {
    run_command(|| bench(&Arguments::parse()))
}

fn bench(arguments: &Arguments) -> Result<ExitCode> {
    let files = [&arguments.json, &arguments.page, &arguments.picture];
    files
        .iter()
        .try_for_each(|file| ensure_writable(file.as_deref()))?;
    let plan = if arguments.quick {
        Plan::QUICK
    } else {
        Plan::WHOLE
    };
    let own = arguments
        .batch
        .map(|batch| Own::find(arguments.program.as_deref(), batch));
    let beside = arguments.beside.as_deref().map(Beside::find).transpose()?;
    let results = measure(
        &plan,
        own.transpose()?.as_ref(),
        beside.as_ref(),
        arguments.growth,
    )?;
    print!("{}", page::text(&results));
    if let Some(file) = &arguments.json {
        let text = serde_json::to_string_pretty(&results)?;
        write_file(file, "report", &format!("{text}\n"))?;
    }
    if let Some(file) = &arguments.page {
        write_page(file, &page::page(&results))?;
    }
    if let Some(file) = &arguments.picture {
        write_file(file, "picture", &page::picture(&results))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(
    plan: &Plan,
    own: Option<&Own>,
    beside: Option<&Beside>,
    grows: bool,
) -> Result<Results> {
    let solutions = Solutions::find()?;
    let of_solutions = producer::steps(plan) + exactly_once::steps(plan);
    let steps = usize::try_from(Stand::steps(plan.events))?
        + trade::steps(plan)
        + pause::steps(plan)
        + limit::steps(plan)
        + solutions.as_ref().map_or(0, |_| of_solutions)
        + own.map_or(0, |_| plan.rounds)
        + if grows { growth::steps()? } else { 0 };
    let bar = ProgressBar::new(steps, "steps done");
    let stand = Stand::new(plan.events, Stand::PARTITIONS, &bar)?;
    // Your own program comes first: if it cannot be measured, you learn it early.
    let yours = own.map(|own| own.measure(&stand, plan, &bar)).transpose()?;
    let mut results = Results {
        machine: machine(),
        kafka: stand.kafka_in_words(),
        events: stand.events,
        rounds: plan.rounds,
        trade: trade::measure(&stand, plan, &bar)?,
        pause: pause::measure(&stand, plan, &bar)?,
        limit: limit::measure(&stand, plan, beside, &bar)?,
        producer: Vec::new(),
        exactly_once: Vec::new(),
        growth: None,
        yours,
    };
    if let Some(solutions) = &solutions {
        results.producer = producer::measure(&stand, plan, solutions, beside, &bar)?;
        results.exactly_once = exactly_once::measure(&stand, plan, &solutions.copier, &bar)?;
    }
    // It has a Kafka of its own, and two at a time would share the processor.
    drop(stand);
    if grows {
        results.growth = Some(growth::measure(&bar)?);
    }
    bar.clear();
    Ok(results)
}
