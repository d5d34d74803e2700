//! The same figure from several rounds.

use serde::{Deserialize, Serialize};

/// Why a figure may be missing.
pub const NO_ROUNDS: &str = "nothing was measured, because the plan has no rounds";

/// The smallest, the median and the largest value of all rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub smallest: f64,
    pub median: f64,
    pub largest: f64,
}

impl Spread {
    /// The spread of these values; `None` if there are none. With an even number of values, the median is the lower one of
    /// the two in the middle, so that it is a value that was measured.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Some(Self {
            smallest: *values.first()?,
            median: *values.get((values.len() - 1) / 2)?,
            largest: *values.last()?,
        })
    }

    /// The spread of the ratios of these values to others, round by round.
    pub fn of_ratios(values: &[f64], others: &[f64]) -> Option<Self> {
        let pairs = values.iter().zip(others);
        Self::of(pairs.map(|(value, other)| value / other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_a_value_that_was_measured() {
        let of = |values: &[f64]| Spread::of(values.iter().copied()).map(|spread| spread.median);
        assert_eq!(of(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]), Some(2.0));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn ratios_compare_values_of_the_same_round() {
        let ratios = Spread::of_ratios(&[1.0, 30.0], &[2.0, 20.0]);
        assert_eq!(
            ratios.map(|ratios| (ratios.smallest, ratios.largest)),
            Some((0.5, 1.5))
        );
    }
}
