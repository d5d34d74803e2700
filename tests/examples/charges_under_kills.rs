//! How many of very many charges are wrong under kills? Has the solution of task 5 charge payments while it is killed at the
//! chosen instants of the check, and at as many random ones as one likes.
//!
//!     cargo run --package tests --example charges_under_kills -- KILLS

use std::time::Instant;

use anyhow::{Context, Result};
use judge::programs::{Version, build};
use judge::{Lane, Pool, Submission, survived_kills};

fn main() -> Result<()> {
    let kills = std::env::args().nth(1).context("how many kills?")?;
    let kills = kills.parse().context("how many kills?")?;
    let solution = Submission::of(build(&["billing"], Version::Solution)?);
    let pool = Pool::default();
    let lane = Lane::open(&pool, &solution)?;
    let start = Instant::now();
    let run = survived_kills(&lane, kills)?;
    println!(
        "{} payments, {} kills at chosen instants and {} at random ones: {}; {}. {:.0} s",
        run.payments,
        run.chosen,
        run.random,
        run.bill,
        run.look,
        start.elapsed().as_secs_f32()
    );
    Ok(())
}
