//! From seconds and offsets to places in a figure.

/// Maps a range to places, both ends included.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    from: f64,
    to: f64,
    first: f64,
    last: f64,
}

impl Scale {
    /// `from` lies at the place `first`, and `to` at `last`.
    pub fn new((from, to): (f64, f64), (first, last): (f64, f64)) -> Self {
        Self {
            from,
            to,
            first,
            last,
        }
    }

    /// The place of a value, to a tenth of a unit.
    pub fn place(&self, value: f64) -> f64 {
        let span = self.to - self.from;
        let share = if span > 0.0 {
            (value - self.from) / span
        } else {
            0.0
        };
        let place = self.first + share.clamp(0.0, 1.0) * (self.last - self.first);
        (place * 10.0).round() / 10.0
    }

    /// Round values within the range, at most about so many.
    pub fn ticks(&self, most: u32) -> Vec<f64> {
        let span = self.to - self.from;
        if span <= 0.0 {
            return vec![self.from];
        }
        let rough = span / f64::from(most.max(1));
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * power)
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let mut ticks = Vec::new();
        let mut tick = (self.from / step).ceil() * step;
        while tick <= self.to + step * 1e-6 {
            ticks.push(tick);
            tick += step;
        }
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        let scale = Scale::new((0.0, 13.2), (0.0, 100.0));
        assert_eq!(scale.ticks(8), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]);
        assert_eq!(Scale::new((3.0, 3.0), (0.0, 1.0)).ticks(5), [3.0]);
    }

    #[test]
    fn a_range_of_nothing_has_its_place() {
        assert!((Scale::new((5.0, 5.0), (10.0, 20.0)).place(5.0) - 10.0).abs() < 1e-9);
    }
}
