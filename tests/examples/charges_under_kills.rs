//! How many charges are wrong if the program is killed very often? This runs the solution of task 5 on many payments, and kills
//! it at every position where the check does, as many times as you want.
//!
//!     cargo run --package tests --example charges_under_kills -- ROUNDS

use std::time::Instant;

use anyhow::{Context, Result};
use judge::programs::{Version, build};
use judge::{Lane, Pool, Submission, survived_kills};

fn main() -> Result<()> {
    judge::help_if_asked();
    let rounds = std::env::args()
        .nth(1)
        .context("usage: charges_under_kills ROUNDS")?;
    let rounds = rounds.parse().context("ROUNDS must be a number")?;
    let solution = Submission::of(build(&["billing"], Version::Solution)?);
    let pool = Pool::default();
    let lane = Lane::open(&pool, &solution)?;
    let start = Instant::now();
    let run = survived_kills(&lane, rounds)?;
    println!(
        "{} payments, {}: {}; {}. {:.0} s",
        run.payments,
        run.what_came_about(),
        run.bill,
        run.snapshot,
        start.elapsed().as_secs_f32()
    );
    Ok(())
}
