//! Task 2: what the consumer prints.

use std::collections::BTreeMap;

use crate::lines::counts;

/// How many events of each type.
pub type Counts = BTreeMap<String, u64>;

/// The counts of each batch.
pub fn summaries(lines: &[String]) -> Vec<Counts> {
    let lines = lines.iter().filter(|line| line.contains("Batch summary"));
    lines
        .filter_map(|line| counts(line))
        .map(without_zeros)
        .collect()
}

/// The running totals, as often as they were printed.
pub fn totals(lines: &[String]) -> Vec<Counts> {
    let lines = lines.iter().filter(|line| !line.contains("Batch summary"));
    lines
        .filter_map(|line| counts(line))
        .map(without_zeros)
        .collect()
}

/// A type that never came may be left out.
fn without_zeros(mut counts: Counts) -> Counts {
    counts.retain(|_, count| *count > 0);
    counts
}

/// All counts together.
pub fn add(all: &[Counts]) -> Counts {
    let mut sum = Counts::new();
    for (event_type, count) in all.iter().flatten() {
        *sum.entry(event_type.clone()).or_default() += count;
    }
    sum
}

/// The purchases that were printed: user and cents, sorted.
pub fn printed_purchases(lines: &[String]) -> Vec<(String, i64)> {
    let mut purchases: Vec<_> = lines.iter().filter_map(|line| purchase(line)).collect();
    purchases.sort();
    purchases
}

/// The user and the cents in `Purchase: user=user_7 amount=$49.99`.
fn purchase(line: &str) -> Option<(String, i64)> {
    let (_, rest) = line.split_once("Purchase")?;
    let (_, rest) = rest.split_once("user=")?;
    let (user, rest) = rest.split_once(char::is_whitespace)?;
    let (_, amount) = rest.split_once('$')?;
    let amount: f64 = amount.trim().parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "amounts are at most 500 dollars"
    )]
    let cents = (amount * 100.0).round() as i64;
    Some((user.to_string(), cents))
}
