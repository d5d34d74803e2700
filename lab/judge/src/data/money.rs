//! Amounts of money: Kafka holds dollars, checks count cents.

use std::fmt;

/// Dollars in cents; `None` where they are more than anybody pays.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what does not fit is left out"
)]
pub fn to_cents(dollars: f64) -> Option<i64> {
    let cents = (dollars * 100.0).round();
    (cents.abs() < 1e15).then_some(cents as i64)
}

/// Cents, told as dollars.
pub struct Dollars(pub i64);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        write!(f, "{sign}${}.{:02}", cents / 100, cents % 100)
    }
}
