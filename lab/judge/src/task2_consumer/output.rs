//! Task 2: reading what the consumer prints.

use std::collections::BTreeMap;

use common::EventType;

use crate::data::money::to_cents;
use crate::history::printed::counts;

/// How many events of each type there are.
pub type Counts = BTreeMap<String, u64>;

/// A purchase: the user, and the amount in cents. The amount is `None` if it is too large for [`to_cents`].
pub type Purchase = (String, Option<i64>);

/// Returns the counts in each batch summary.
pub fn summaries(lines: &[String]) -> Vec<Counts> {
    let lines = lines.iter().filter(|line| line.contains("Batch summary"));
    lines
        .filter_map(|line| counts(line))
        .map(without_zeros)
        .collect()
}

/// Returns the running totals, once for each time that they were printed. A program may print other objects of numbers, such
/// as offsets by partition.
pub fn totals(lines: &[String]) -> Vec<Counts> {
    let lines = lines.iter().filter(|line| !line.contains("Batch summary"));
    lines
        .filter_map(|line| counts(line))
        .filter(|counts| counts.keys().all(|key| is_event_type(key)))
        .map(without_zeros)
        .collect()
}

fn is_event_type(name: &str) -> bool {
    serde_json::from_value::<EventType>(name.into()).is_ok()
}

/// Removes types that did not occur: a program may print them or leave them out.
fn without_zeros(mut counts: Counts) -> Counts {
    counts.retain(|_, count| *count > 0);
    counts
}

/// Adds up counts.
pub fn add(all: &[Counts]) -> Counts {
    let mut sum = Counts::new();
    for (event_type, count) in all.iter().flatten() {
        let all = sum.entry(event_type.clone()).or_default();
        *all = all.saturating_add(*count);
    }
    sum
}

/// Returns how many events there are of all types together. A program may print any number, so the sum does not overflow.
pub fn total(counts: &Counts) -> u64 {
    counts
        .values()
        .fold(0, |sum, count| sum.saturating_add(*count))
}

/// Returns the purchases that were printed, sorted.
pub fn printed_purchases(lines: &[String]) -> Vec<Purchase> {
    let mut purchases: Vec<_> = lines.iter().filter_map(|line| purchase(line)).collect();
    purchases.sort();
    purchases
}

/// Reads a line such as `Purchase: user=user_7 amount=$49.99`.
fn purchase(line: &str) -> Option<Purchase> {
    let (_, rest) = line.split_once("Purchase")?;
    let (_, rest) = rest.split_once("user=")?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    let (user, rest) = rest.split_at(end);
    let (_, rest) = rest.split_once('$')?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
    // The amount may be followed by a period.
    let amount = rest[..end.unwrap_or(rest.len())].trim_end_matches('.');
    let amount: f64 = amount.parse().ok()?;
    Some((user.to_string(), to_cents(amount)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_objects_of_numbers_are_no_totals() {
        let lines = [
            r#"Running totals: {"page_view": 12, "purchase": 8, "search": 0}"#,
            r#"{"p0": 7, "p1": 25}"#,
        ];
        let expected = Counts::from([("page_view".to_string(), 12), ("purchase".to_string(), 8)]);
        assert_eq!(totals(&lines.map(String::from)), [expected]);
    }

    #[test]
    fn reads_purchases() {
        for line in [
            "Purchase: user=user_7 amount=$49.9",
            "  Purchase: user=user_7, amount=$49.90 (event 17)",
            "Purchase: user=user_7 amount=$49.90.",
        ] {
            let expected = ("user_7".to_string(), Some(4_990));
            assert_eq!(purchase(line), Some(expected), "{line}");
        }
        assert_eq!(purchase("Purchase: user=user_7 amount=None"), None);
        let too_much = "Purchase: user=user_7 amount=$99999999999999999999";
        assert_eq!(purchase(too_much), Some(("user_7".to_string(), None)));
    }
}
