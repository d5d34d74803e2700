//! How many charges are wrong if the program is killed very often? This runs the solution of task 5 on many payments.
//! It kills the program at the moments that the check chooses, and at as many random moments as you want.
//!
//!     cargo run --package tests --example charges_under_kills -- KILLS

use std::time::Instant;

use anyhow::{Context, Result};
use judge::programs::{Version, build};
use judge::{Lane, Pool, Submission, survived_kills};

fn main() -> Result<()> {
    let kills = std::env::args()
        .nth(1)
        .context("usage: charges_under_kills KILLS")?;
    let kills = kills.parse().context("KILLS must be a number")?;
    let solution = Submission::of(build(&["billing"], Version::Solution)?);
    let pool = Pool::default();
    let lane = Lane::open(&pool, &solution)?;
    let start = Instant::now();
    let run = survived_kills(&lane, kills)?;
    println!(
        "{} payments, {} kills at chosen moments and {} at random moments: {}; {}. {:.0} s",
        run.payments,
        run.chosen,
        run.random,
        run.bill,
        run.snapshot,
        start.elapsed().as_secs_f32()
    );
    Ok(())
}
