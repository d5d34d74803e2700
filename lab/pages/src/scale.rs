//! The places of seconds, offsets and other values in a figure.

/// A linear map from a range of values to places.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    from: f64,
    to: f64,
    first: f64,
    last: f64,
}

impl Scale {
    /// The value `from` is at the place `first`, and the value `to` at the place `last`.
    pub fn new((from, to): (f64, f64), (first, last): (f64, f64)) -> Self {
        Self {
            from,
            to,
            first,
            last,
        }
    }

    /// The place of a value, rounded to a tenth of a unit. A value outside the range is at its nearer end.
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

    /// Round values within the range, at most `most` + 1.
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
        let first = (self.from / step).ceil();
        // Multiplied, not added up: a small step added to a large value may not change it.
        let ticks = (0..=most).map(|number| (first + f64::from(number)) * step);
        ticks
            .take_while(|tick| *tick <= self.to + step * 1e-6)
            .collect()
    }
}

/// A map from a range of positive values to places, on which equal factors have equal lengths.
#[derive(Clone, Copy, Debug)]
pub struct LogScale(Scale);

impl LogScale {
    /// Fits these values between two places. The range ends at powers of ten.
    pub fn new(values: impl Iterator<Item = f64>, places: (f64, f64)) -> Self {
        let logs: Vec<f64> = values.map(log).collect();
        let least = logs.iter().copied().fold(f64::INFINITY, f64::min).min(1e9);
        let most = logs.iter().copied().fold(least, f64::max);
        Self(Scale::new((least.floor(), most.ceil()), places))
    }

    /// The place of a value. Zero has none on such a scale, so it is at the lower end.
    pub fn place(&self, value: f64) -> f64 {
        self.0.place(log(value))
    }

    /// The powers of ten within the range.
    pub fn ticks(&self) -> Vec<f64> {
        let mut power = self.0.from;
        let mut ticks = Vec::new();
        while power <= self.0.to {
            ticks.push(10_f64.powf(power));
            power += 1.0;
        }
        ticks
    }
}

fn log(value: f64) -> f64 {
    value.max(f64::MIN_POSITIVE).log10()
}

/// A map from times to places. A silence, in which nothing happens, takes little room if it is long.
#[derive(Debug)]
pub struct Time {
    /// The stretches of time between the silences.
    busy: Vec<Scale>,
}

/// A silence is shortened if it lasts at least this many seconds and at least this share of the whole time.
const LONG: f64 = 1.0;
const LONG_SHARE: f64 = 0.06;

/// The share of the room that a shortened silence takes.
const SHORTENED: f64 = 0.07;

impl Time {
    /// Fits these times between two places. The times must be sorted.
    pub fn new(times: impl Iterator<Item = f64>, (first, last): (f64, f64)) -> Self {
        let mut stretches: Vec<(f64, f64)> = Vec::new();
        let times: Vec<f64> = times.collect();
        let whole = times.last().copied().unwrap_or_default();
        for time in times {
            match stretches.last_mut() {
                Some((_, to)) if time - *to < LONG.max(whole * LONG_SHARE) => *to = time,
                _ => stretches.push((time, time)),
            }
        }
        let breaks = f64::from(u32::try_from(stretches.len().saturating_sub(1)).unwrap_or(0));
        let gap = (SHORTENED * (last - first)).min((last - first) / 2.0 / breaks.max(1.0));
        let room = (last - first) - breaks * gap;
        // A single moment between two silences needs some room as well.
        let least = whole * 0.002;
        let length = |(from, to): &(f64, f64)| (to - from).max(least);
        let all: f64 = stretches.iter().map(length).sum();
        let mut at = first;
        let busy = stretches.iter().map(|stretch| {
            let end = at
                + room
                    * if all > 0.0 {
                        length(stretch) / all
                    } else {
                        1.0
                    };
            let scale = Scale::new(*stretch, (at, end));
            at = end + gap;
            scale
        });
        Self {
            busy: busy.collect(),
        }
    }

    /// The place of a time.
    pub fn place(&self, time: f64) -> f64 {
        let after = self.busy.iter().position(|busy| time <= busy.to);
        let Some(after) = after else {
            return self.busy.last().map_or(0.0, |busy| busy.last);
        };
        let busy = &self.busy[after];
        if time >= busy.from || after == 0 {
            return busy.place(time);
        }
        let before = &self.busy[after - 1];
        Scale::new((before.to, busy.from), (before.last, busy.first)).place(time)
    }

    /// Round times outside the silences.
    pub fn ticks(&self) -> Vec<f64> {
        /// The room that the text of a tick needs.
        const ROOM: f64 = 80.0;
        let ticks = self.busy.iter().flat_map(|busy| {
            // The number is small and positive.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let most = ((busy.last - busy.first) / ROOM) as u32;
            if most == 0 {
                vec![busy.from]
            } else {
                busy.ticks(most)
            }
        });
        ticks.collect()
    }

    /// The silences that were shortened: their beginnings and their ends, in seconds.
    pub fn silences(&self) -> impl Iterator<Item = (f64, f64)> {
        self.busy.windows(2).map(|two| (two[0].to, two[1].from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within_the_range() {
        let scale = Scale::new((0.0, 13.2), (0.0, 100.0));
        assert_eq!(scale.ticks(8), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]);
        assert_eq!(Scale::new((3.0, 3.0), (0.0, 1.0)).ticks(5), [3.0]);
    }

    #[test]
    fn an_empty_range_has_a_place() {
        assert!((Scale::new((5.0, 5.0), (10.0, 20.0)).place(5.0) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn equal_factors_have_equal_lengths() {
        let scale = LogScale::new([2.0, 900.0].into_iter(), (0.0, 300.0));
        assert_eq!(scale.ticks(), [1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(scale.place(10.0), 100.0);
        assert_eq!(scale.place(0.0), 0.0);
    }

    #[test]
    fn a_long_silence_takes_little_room() {
        let time = Time::new([0.0, 0.1, 0.2, 10.0, 10.2].into_iter(), (0.0, 100.0));
        assert_eq!(time.silences().collect::<Vec<_>>(), [(0.2, 10.0)]);
        assert!((time.place(0.0) - 0.0).abs() < 1e-9);
        assert!((time.place(10.2) - 100.0).abs() < 1e-9);
        assert!(time.place(10.0) - time.place(0.2) < 8.0);
        assert!(time.place(5.0) > time.place(0.2) && time.place(5.0) < time.place(10.0));
    }
}
