//! Amounts of money: Kafka holds dollars, the checks count cents.

use std::fmt;

/// Amounts of this many cents or more are not converted. No amount in the lab comes close.
const TOO_MANY_CENTS: f64 = 1e15;

/// Converts dollars to cents, rounded. Returns `None` if the amount is too large, or not a number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "amounts that would not fit are returned as None"
)]
pub fn to_cents(dollars: f64) -> Option<i64> {
    let cents = (dollars * 100.0).round();
    (cents.abs() < TOO_MANY_CENTS).then_some(cents as i64)
}

/// An amount in cents, displayed in dollars: `$49.90`.
pub struct Dollars(pub i64);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        write!(f, "{sign}${}.{:02}", cents / 100, cents % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_to_whole_cents() {
        assert_eq!(to_cents(49.9), Some(4_990));
        assert_eq!(to_cents(0.1 + 0.2), Some(30));
        assert_eq!(to_cents(-12.5), Some(-1_250));
    }

    #[test]
    fn converts_no_amount_that_is_too_large_or_not_a_number() {
        assert_eq!(to_cents(1e13), None);
        assert_eq!(to_cents(f64::INFINITY), None);
        assert_eq!(to_cents(f64::NAN), None);
    }

    #[test]
    fn displays_dollars() {
        assert_eq!(Dollars(4_990).to_string(), "$49.90");
        assert_eq!(Dollars(-5).to_string(), "-$0.05");
    }
}
