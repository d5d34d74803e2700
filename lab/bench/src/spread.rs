//! The same figure from several rounds.

use serde::{Deserialize, Serialize};

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
}
