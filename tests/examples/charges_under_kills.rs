//! How many charges are wrong if the program is killed very often? This runs the solution of task 5 on many payments, and kills
//! it at every position where the check does, as many times as you want.
//!
//!     cargo run --package tests --example charges_under_kills -- ROUNDS

use std::time::Instant;

use anyhow::{Context, Result};
use judge::programs::{Version, build};
use judge::{Lane, Pool, Submission, in_writes, on_the_wire};

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
    let wire = on_the_wire(&lane, rounds)?;
    let writes = in_writes(&lane, rounds)?;
    for (what, last) in [
        (wire.to_string(), &wire.last),
        (writes.to_string(), &writes.last),
    ] {
        println!(
            "{} payments, {what}: {}; {}.",
            last.payments, last.bill, last.snapshot
        );
    }
    println!("{:.0} s", start.elapsed().as_secs_f32());
    Ok(())
}
