//! The parts of a check, which may be judged on different lanes, and the verdict on all of them together.

use std::collections::BTreeMap;

use crate::history::Moment;
use crate::verdict::check::{Check, Verdict};

/// One part of a check.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub check: &'static Check,
    /// Its place among the parts of the check, counted from 0.
    pub number: usize,
}

/// A verdict, and what happened in the runs that led to it.
pub type Reached = (Verdict, Vec<Moment>);

/// What became of parts so far, by their checks and their numbers. `None` is a part that need not be judged any more.
#[derive(Debug, Default)]
pub struct Parts(BTreeMap<&'static str, BTreeMap<usize, Option<Reached>>>);

impl Parts {
    /// Whether a part before this one has failed, so that this one changes nothing.
    pub fn is_decided_before(&self, part: Part) -> bool {
        let known = self.0.get(part.check.id).into_iter().flatten();
        let before = known.filter(|(number, _)| **number < part.number);
        before
            .filter_map(|(_, reached)| reached.as_ref())
            .any(|(verdict, _)| verdict.is_failed())
    }

    /// Adds what became of a part. Returns the verdict on the check when all its parts are known.
    pub fn add(&mut self, part: Part, reached: Option<Reached>) -> Option<Reached> {
        let known = self.0.entry(part.check.id).or_default();
        known.insert(part.number, reached);
        if known.len() < part.check.parts.len() {
            return None;
        }
        let all = self.0.remove(part.check.id)?;
        together(all.into_values().flatten())
    }
}

/// The verdict on a check: that of the first part that failed; or of the first one that could not be judged; or else all parts
/// have passed. `None` if there are no parts.
fn together(parts: impl Iterator<Item = Reached>) -> Option<Reached> {
    let mut parts: Vec<Reached> = parts.collect();
    let not_judged = |verdict: &Verdict| matches!(verdict, Verdict::NotJudged { .. });
    let decides = parts.iter().position(|(verdict, _)| verdict.is_failed());
    let decides = decides.or_else(|| parts.iter().position(|(verdict, _)| not_judged(verdict)));
    if let Some(decides) = decides {
        return Some(parts.swap_remove(decides));
    }
    parts
        .into_iter()
        .reduce(|(verdict, mut seen), (next, more)| {
            seen.extend(more);
            (both_passed(verdict, next), seen)
        })
}

fn both_passed(one: Verdict, other: Verdict) -> Verdict {
    match (one, other) {
        (
            Verdict::Passed { expected, saw },
            Verdict::Passed {
                expected: also_expected,
                saw: also_saw,
            },
        ) => Verdict::Passed {
            expected: listed(expected, &also_expected),
            saw: listed(saw, &also_saw),
        },
        (one, _) => one,
    }
}

fn listed(text: String, more: &str) -> String {
    if text == more {
        text
    } else {
        format!("{text}; {more}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::all_checks;
    use crate::verdict::check::verdict;

    fn reached(holds: bool, saw: &str) -> Option<Reached> {
        Some((verdict(holds, "", saw, ""), Vec::new()))
    }

    fn saw(reached: Option<Reached>) -> Option<String> {
        match reached?.0 {
            Verdict::Passed { saw, .. } | Verdict::Failed { saw, .. } => Some(saw),
            Verdict::NoProgram(_) => None,
            Verdict::NotJudged { why } => Some(why),
        }
    }

    /// Adds these to a check of two parts, the last part first.
    fn of_two(first: Option<Reached>, last: Option<Reached>) -> Option<String> {
        let check = all_checks().find(|check| check.parts.len() == 2)?;
        let mut parts = Parts::default();
        assert!(parts.add(Part { check, number: 1 }, last).is_none());
        saw(parts.add(Part { check, number: 0 }, first))
    }

    #[test]
    fn a_check_passes_if_all_its_parts_do() {
        let both = of_two(reached(true, "one"), reached(true, "other"));
        assert_eq!(both.as_deref(), Some("one; other"));
    }

    #[test]
    fn the_first_part_that_fails_decides() {
        let both = of_two(reached(false, "one"), reached(false, "other"));
        assert_eq!(both.as_deref(), Some("one"));
        let last = of_two(reached(true, "one"), reached(false, "other"));
        assert_eq!(last.as_deref(), Some("other"));
    }

    #[test]
    fn what_could_not_be_judged_does_not_hide_a_failure() {
        let lost = || {
            let why = "lost".to_string();
            Some((Verdict::NotJudged { why }, Vec::new()))
        };
        let failed = of_two(lost(), reached(false, "other"));
        assert_eq!(failed.as_deref(), Some("other"));
        assert_eq!(
            of_two(lost(), reached(true, "other")).as_deref(),
            Some("lost")
        );
    }

    #[test]
    fn after_a_failure_no_later_part_is_judged() {
        let check = all_checks().find(|check| check.parts.len() == 2);
        let Some(check) = check else {
            panic!("no check has two parts");
        };
        let mut parts = Parts::default();
        let (first, last) = (Part { check, number: 0 }, Part { check, number: 1 });
        assert!(!parts.is_decided_before(last));
        parts.add(first, reached(false, "one"));
        assert!(parts.is_decided_before(last));
        assert_eq!(saw(parts.add(last, None)).as_deref(), Some("one"));
    }
}
