//! The points of a report: those of the regular tasks, which are worth 100 together, and the bonus points beyond them.

use std::cmp::Reverse;
use std::fmt;

use crate::tasks::TASKS;
use crate::verdict::report::{Judged, Report};

/// Points, and how many are possible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Points {
    pub regular: u32,
    pub of_regular: u32,
    pub bonus: u32,
    pub of_bonus: u32,
}

impl Points {
    /// The points of these checks.
    pub fn of(rows: &[Judged]) -> Self {
        let mut all = Self::default();
        for row in rows {
            let (points, possible) = if is_bonus(row) {
                (&mut all.bonus, &mut all.of_bonus)
            } else {
                (&mut all.regular, &mut all.of_regular)
            };
            *points += row.points;
            *possible += row.max_points;
        }
        all
    }

    /// The median of the regular points and that of the bonus points, of the reports that could be judged; nothing if there are
    /// none.
    pub fn median(reports: &[&Report]) -> Option<Self> {
        let judged = reports.iter().filter(|report| report.is_judged());
        let all: Vec<Self> = judged.map(|report| Self::of(&report.checks)).collect();
        let middle = |points: fn(&Self) -> u32| {
            let mut sorted: Vec<u32> = all.iter().map(points).collect();
            sorted.sort_unstable();
            sorted.get(sorted.len() / 2).copied()
        };
        Some(Self {
            regular: middle(|points| points.regular)?,
            bonus: middle(|points| points.bonus)?,
            ..*all.first()?
        })
    }
}

/// Sorts reports: by their regular points, then by their bonus points, then by name.
pub fn best_first(reports: &mut [&Report]) {
    reports.sort_by_cached_key(|report| {
        let points = Points::of(&report.checks);
        (
            Reverse((points.regular, points.bonus)),
            report.submission.clone(),
        )
    });
}

/// Whether the points of this check come on top of the regular points.
pub fn is_bonus(row: &Judged) -> bool {
    let mut tasks = TASKS.iter();
    tasks.any(|task| task.number == row.task && task.bonus)
}

/// `83 of 100 points and 34 of 50 bonus points`. What was not judged is left out.
impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.of_regular > 0 || self.of_bonus == 0 {
            write!(f, "{} of {} points", self.regular, self.of_regular)?;
        }
        if self.of_regular > 0 && self.of_bonus > 0 {
            write!(f, " and ")?;
        }
        if self.of_bonus > 0 {
            write!(f, "{} of {} bonus points", self.bonus, self.of_bonus)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_only_what_was_judged() {
        let points = |regular, of_regular, bonus, of_bonus| Points {
            regular,
            of_regular,
            bonus,
            of_bonus,
        };
        for (points, words) in [
            (
                points(67, 100, 50, 50),
                "67 of 100 points and 50 of 50 bonus points",
            ),
            (points(12, 12, 0, 0), "12 of 12 points"),
            (points(0, 0, 9, 25), "9 of 25 bonus points"),
        ] {
            assert_eq!(points.to_string(), words);
        }
    }
}
