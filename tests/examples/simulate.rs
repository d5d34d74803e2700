//! How many submissions would a machine with more cores grade in an hour? Simulates it, and draws the result beside what was
//! measured.
//!
//!     cargo run --package tests --example simulate -- docs/performance.md CORES docs/images/throughput.svg
//!
//! The first table in the page must be that of the example `throughput`, measured on a machine with so many CORES.
//!
//! A submission is built first. Then its wings are judged as in `lab/judge/src/judge.rs`: twelve at a time, the longest first,
//! each on a broker of the pool. The table of tasks says how long a wing takes if all its checks pass and nothing else runs; in the
//! measured class, some fail. So these times are stretched until one submission after the other takes as long as it was measured.
//! The processor time of a submission is the measured one, spread evenly over its seconds. If all that runs at a time wants more
//! than the cores have, all of it becomes slower in the same ratio. Who waits for a core although another one is free, memory,
//! disks and caches are left out, so a real machine is slower.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use judge::{SIDE_BY_SIDE, TASKS, most_brokers};
use pages::{Axis, Point, Series, log_plot, stand_alone};

/// How many submissions there are for each job, at least. The last ones cannot be judged side by side with others.
const FOR_EACH_JOB: usize = 6;

/// How long it takes to build a submission, to start a broker in a JVM that runs already, and to empty one for its next use, if
/// nothing else runs, in seconds.
const BUILD: f64 = 2.7;
const START: f64 = 0.3;
const EMPTY: f64 = 0.3;

/// One step of simulated time, in seconds.
const STEP: f64 = 0.02;

/// The machine to simulate, beside the measured one.
const MANY_CORES: usize = 16;
const JOBS_FOR_MANY: &[usize] = &[1, 2, 4, 8, 16, 32];

/// A row of the measured table.
struct Row {
    jobs: usize,
    submissions: usize,
    an_hour: f64,
    cpu_seconds: f64,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [page, cores, plot] = arguments.as_slice() else {
        bail!("usage: simulate PAGE.md CORES PLOT.svg");
    };
    let cores: usize = cores.parse()?;
    let rows = measured(&fs::read_to_string(page).with_context(|| page.clone())?)?;
    let one = rows.iter().find(|row| row.jobs == 1);
    let one = one.context("the table has no row for one job at a time")?;
    let stretch = stretch_for(cores, one);
    println!("The wings take {stretch:.2} times as long as in the table of tasks.");
    println!("| cores | jobs | submissions an hour | measured |");
    println!("|---|---|---|---|");
    let mut same = Vec::new();
    for row in &rows {
        let Row {
            jobs,
            submissions,
            an_hour: measured,
            cpu_seconds,
        } = *row;
        let an_hour = simulate(cores, jobs, submissions, cpu_seconds, stretch);
        println!("| {cores} | {jobs} | {an_hour:.0} | {measured:.0} |");
        same.push((jobs, an_hour));
    }
    let cpu_seconds = rows.iter().map(|row| row.cpu_seconds);
    let least = cpu_seconds.fold(f64::MAX, f64::min);
    let mut many = Vec::new();
    for &jobs in JOBS_FOR_MANY {
        let an_hour = simulate(MANY_CORES, jobs, jobs * FOR_EACH_JOB, least, stretch);
        println!("| {MANY_CORES} | {jobs} | {an_hour:.0} | |");
        many.push((jobs, an_hour));
    }
    let measured = rows.iter().map(|row| (row.jobs, row.an_hour)).collect();
    let lines = [
        (format!("{cores} cores, measured"), measured),
        (format!("{cores} cores, simulated"), same),
        (format!("{MANY_CORES} cores, simulated"), many),
    ];
    fs::write(plot, drawn(&lines))?;
    Ok(())
}

/// By how much the wings must be stretched, so that one submission after the other takes as long as it was measured.
fn stretch_for(cores: usize, one: &Row) -> f64 {
    let mut stretch = 1.0;
    for _ in 0..5 {
        let an_hour = simulate(cores, 1, one.submissions, one.cpu_seconds, stretch);
        stretch *= an_hour / one.an_hour;
    }
    stretch
}

/// The rows of the first table whose first column is called `jobs`.
fn measured(page: &str) -> Result<Vec<Row>> {
    let lines = page
        .lines()
        .skip_while(|line| !line.starts_with("| jobs |"));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    let rows: Vec<Row> = rows.map(row).collect::<Result<_>>()?;
    ensure!(!rows.is_empty(), "the page has no table of jobs");
    Ok(rows)
}

fn row(line: &str) -> Result<Row> {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let [_, jobs, seconds, an_hour, cpu_seconds, ..] = cells.as_slice() else {
        bail!("this is no row of the example `throughput`: {line}");
    };
    let (seconds, an_hour): (f64, f64) = (seconds.parse()?, an_hour.parse()?);
    Ok(Row {
        jobs: jobs.parse()?,
        submissions: (seconds * an_hour / 3600.0).round() as usize,
        an_hour,
        cpu_seconds: cpu_seconds.parse()?,
    })
}

/// A submission that is being graded: how long its build and those of its wings that run will still take, and how long those
/// that wait will take, in seconds.
struct Submission {
    build: f64,
    running: Vec<f64>,
    waiting: Vec<f64>,
}

impl Submission {
    fn new(waiting: Vec<f64>) -> Self {
        Self {
            build: BUILD,
            running: Vec::new(),
            waiting,
        }
    }

    fn is_done(&self) -> bool {
        self.build <= 0.0 && self.running.is_empty() && self.waiting.is_empty()
    }

    /// How much of it runs: its build, or its wings.
    fn active(&self) -> usize {
        if self.build > 0.0 {
            1
        } else {
            self.running.len()
        }
    }

    fn go_on(&mut self, seconds: f64) {
        if self.build > 0.0 {
            self.build -= seconds;
        } else {
            for left in &mut self.running {
                *left -= seconds;
            }
            self.running.retain(|left| *left > 0.0);
        }
    }
}

/// How long each wing takes, in seconds. The longest is last, and so it is taken first.
fn wings(stretch: f64) -> Vec<f64> {
    let wings = TASKS.iter().flat_map(|task| task.wings());
    let mut wings: Vec<f64> = wings
        .map(|wing| stretch * f64::from(wing.seconds))
        .collect();
    wings.sort_by(f64::total_cmp);
    wings
}

/// How many submissions are graded in an hour.
fn simulate(cores: usize, jobs: usize, submissions: usize, cpu_seconds: f64, stretch: f64) -> f64 {
    let wings = wings(stretch);
    let share = cpu_seconds / (BUILD + wings.iter().sum::<f64>());
    let most = most_brokers(cores);
    let (mut started, mut left, mut time) = (0, submissions, 0.0);
    let mut graded: Vec<Submission> = Vec::new();
    while left > 0 || !graded.is_empty() {
        while graded.len() < jobs && left > 0 {
            graded.push(Submission::new(wings.clone()));
            left -= 1;
        }
        let mut lent: usize = graded.iter().map(|one| one.running.len()).sum();
        for one in graded.iter_mut().filter(|one| one.build <= 0.0) {
            while lent < most
                && one.running.len() < SIDE_BY_SIDE
                && let Some(wing) = one.waiting.pop()
            {
                let before = if lent < started { EMPTY } else { START };
                lent += 1;
                started = started.max(lent);
                one.running.push(before + wing);
            }
        }
        let active: usize = graded.iter().map(Submission::active).sum();
        let wanted = active as f64 * share;
        let speed = (cores as f64 / wanted).min(1.0);
        for one in &mut graded {
            one.go_on(STEP * speed);
        }
        graded.retain(|one| !one.is_done());
        time += STEP;
    }
    submissions as f64 / time * 3600.0
}

fn drawn(lines: &[(String, Vec<(usize, f64)>)]) -> String {
    let whole = |value: f64| format!("{value:.0}");
    let axes = [("jobs", whole), ("submissions an hour", whole)];
    let [x_axis, y_axis] = axes.map(|(name, value)| Axis { name, value });
    let series: Vec<Series> = lines
        .iter()
        .map(|(name, points)| Series {
            name,
            points: points
                .iter()
                .map(|&(jobs, an_hour)| point(jobs, an_hour))
                .collect(),
        })
        .collect();
    let title = "Submissions an hour, by how many are graded at a time";
    stand_alone(&log_plot(title, &x_axis, &y_axis, &series))
}

fn point(jobs: usize, an_hour: f64) -> Point {
    let x = jobs as f64;
    Point {
        x: (x, x, x),
        y: (an_hour, an_hour, an_hour),
        label: format!("{an_hour:.0}"),
        words: format!("{jobs} at a time: {an_hour:.0} submissions an hour"),
    }
}
