//! A summary of a class in plain text: the distribution of scores, and which checks failed most often.

use std::collections::BTreeMap;
use std::fmt;

use cluster::table;
use judge::{Outcome, Points, Report, all_checks, best_first};

/// The width of the longest bar in the distribution, in characters.
const BAR: usize = 40;

/// The number of steps into which scores are sorted, from no points to all points.
const STEPS: u32 = 10;

/// With more submissions than this, the heat map has no columns for single submissions.
const MOST_COLUMNS: usize = 60;

/// The summary of these reports. Display it to get the text.
pub struct Summary<'a>(pub &'a [Report]);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let noun = if count == 1 {
            "submission"
        } else {
            "submissions"
        };
        write!(f, "{count} {noun}")?;
        let reports: Vec<&Report> = self.0.iter().collect();
        if let Some(median) = Points::median(&reports) {
            write!(f, ", median {median}")?;
        }
        write!(f, "\n\n")?;
        writeln!(f, "{}\n", self.distribution())?;
        write!(f, "{}", self.heat_map())
    }
}

impl Summary<'_> {
    fn distribution(&self) -> String {
        let mut counts: BTreeMap<u32, usize> = (0..=STEPS).map(|step| (step, 0)).collect();
        for report in self.0.iter().filter(|report| report.is_judged()) {
            let points = Points::of(&report.checks);
            let step = STEPS * points.regular / points.of_regular.max(1);
            *counts.entry(step).or_default() += 1;
        }
        let most = counts.values().copied().max().unwrap_or(0).max(1);
        let rows = counts.into_iter().rev().map(|(step, count)| {
            let percent = 100 / STEPS;
            let range = if step == STEPS {
                "100 %".to_string()
            } else {
                format!("{}–{} %", step * percent, (step + 1) * percent - 1)
            };
            [
                range,
                count.to_string(),
                "█".repeat((count * BAR).div_ceil(most)),
            ]
        });
        let not_judged = self.0.iter().filter(|report| !report.is_judged()).count();
        let not_judged = (not_judged > 0).then(|| {
            [
                "not judged".to_string(),
                not_judged.to_string(),
                String::new(),
            ]
        });
        table(
            &["points without bonus", "submissions", ""],
            &[0, 1],
            rows.chain(not_judged),
        )
    }

    /// A row for each check, in order of how many submissions failed it, and a mark for each submission, the best one on the
    /// left.
    fn heat_map(&self) -> String {
        let mut reports: Vec<&Report> = self.0.iter().collect();
        best_first(&mut reports);
        let mut rows: Vec<(usize, [String; 3])> = all_checks()
            .map(|check| {
                let outcomes = reports.iter().map(|report| {
                    let row = report.checks.iter().find(|row| row.id == check.id);
                    row.map_or(Outcome::NotJudged, |row| row.outcome)
                });
                let outcomes: Vec<Outcome> = outcomes.collect();
                let failed = outcomes
                    .iter()
                    .filter(|outcome| **outcome == Outcome::Failed)
                    .count();
                let marks = if outcomes.len() > MOST_COLUMNS {
                    String::new()
                } else {
                    outcomes
                        .iter()
                        .map(|outcome| match outcome {
                            Outcome::Passed => '·',
                            Outcome::Failed => '█',
                            Outcome::NotJudged => '?',
                        })
                        .collect()
                };
                (failed, [check.id.to_string(), failed.to_string(), marks])
            })
            .collect();
        rows.sort_by_key(|(failed, _)| std::cmp::Reverse(*failed));
        table(
            &[
                "check",
                "failed",
                "each submission, the best one first (█ failed, ? not judged)",
            ],
            &[1],
            rows.into_iter().map(|(_, row)| row),
        )
    }
}
