//! Task 2: what the consumer prints.

use std::collections::BTreeMap;

use crate::history::printed::counts;

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
        let all = sum.entry(event_type.clone()).or_default();
        *all = all.saturating_add(*count);
    }
    sum
}

/// How many events they count together. What a program prints may be any number.
pub fn total(counts: &Counts) -> u64 {
    counts
        .values()
        .fold(0, |sum, count| sum.saturating_add(*count))
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
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    let (user, rest) = rest.split_at(end);
    let (_, rest) = rest.split_once('$')?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
    // A full stop may end a sentence.
    let amount = rest[..end.unwrap_or(rest.len())].trim_end_matches('.');
    let amount: f64 = amount.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "amounts are at most 500 dollars"
    )]
    let cents = (amount * 100.0).round() as i64;
    Some((user.to_string(), cents))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_purchases() {
        for line in [
            "Purchase: user=user_7 amount=$49.9",
            "  Purchase: user=user_7, amount=$49.90 (event 17)",
            "Purchase: user=user_7 amount=$49.90.",
        ] {
            assert_eq!(purchase(line), Some(("user_7".to_string(), 4990)), "{line}");
        }
        assert_eq!(purchase("Purchase: user=user_7 amount=None"), None);
    }
}
