//! Programs that end before they have done anything with Kafka, for example because a library is missing. Then all checks see
//! the same, whatever they look at.

use std::collections::BTreeMap;

use crate::history::{Happening, Moment};
use crate::programs::transcript::Deed;
use crate::verdict::cause::{Cause, NoProgram, What};

/// How many of the last lines of each stream are shown.
const LAST_LINES: usize = 10;

/// What was seen of one run of a program.
#[derive(Default)]
struct Run<'a> {
    name: &'a str,
    out: Vec<&'a str>,
    err: Vec<&'a str>,
    end: Option<&'a Moment>,
    was_stopped: bool,
}

/// What to say if nothing was seen but runs that ended at once, by themselves, and before any request that counts.
pub fn ended_at_once(seen: &[Moment]) -> Option<NoProgram> {
    let mut runs: BTreeMap<(&str, usize), Run> = BTreeMap::new();
    let mut first = None;
    for moment in seen {
        let Some(number) = moment.run else {
            if matches!(moment.what, Happening::Request { .. }) {
                return None;
            }
            continue;
        };
        let key = (moment.who.as_str(), number);
        first.get_or_insert(key);
        let run = runs.entry(key).or_default();
        run.name = &moment.who;
        match &moment.what {
            Happening::Out(line) => run.out.push(line),
            Happening::Err(line) => run.err.push(line),
            // Ctrl-C that comes after its end stops nothing.
            Happening::Deed(Deed::Interrupted | Deed::Killed) if run.end.is_none() => {
                run.was_stopped = true;
            }
            Happening::Deed(Deed::Ended(_)) => run.end = Some(moment),
            _ => {}
        }
    }
    if !runs.values().all(Run::ended_at_once) {
        return None;
    }
    let run = &runs[&first?];
    let saw = format!(
        "{} before it did anything with Kafka. {}",
        run.end?.in_words(),
        run.last_lines()
    );
    Some(NoProgram {
        cause: Cause {
            programs: vec![run.name.to_string()],
            what: What::EndsAtOnce,
        },
        saw,
    })
}

impl Run<'_> {
    /// A program that prints something and ends with success may have meant to end.
    fn ended_at_once(&self) -> bool {
        let end = self.end.map(|moment| &moment.what);
        let Some(Happening::Deed(Deed::Ended(status))) = end else {
            return false;
        };
        !self.was_stopped && (!status.success() || self.out.is_empty())
    }

    fn last_lines(&self) -> String {
        if self.out.is_empty() && self.err.is_empty() {
            return "It printed nothing.".to_string();
        }
        let mut text = "Its last lines:".to_string();
        for (lines, stream) in [(&self.out, "out"), (&self.err, "err")] {
            for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
                text += &format!("\n  {stream}| {line}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;
    use std::time::SystemTime;

    use super::*;

    fn moments(whats: Vec<Happening>) -> Vec<Moment> {
        let moment = |what| Moment {
            at: SystemTime::now(),
            who: "consumer".to_string(),
            run: Some(1),
            what,
        };
        whats.into_iter().map(moment).collect()
    }

    fn ended(code: i32) -> Happening {
        Happening::Deed(Deed::Ended(ExitStatus::from_raw(code << 8)))
    }

    #[test]
    fn shows_the_last_lines_of_a_program_that_failed() {
        let lines = (0..20).map(|number| Happening::Err(format!("line {number}.")));
        let seen = moments(lines.chain([ended(1)]).collect());
        let Some(NoProgram { cause, saw }) = ended_at_once(&seen) else {
            panic!("it ended at once");
        };
        assert_eq!(cause.to_string(), "consumer ends at once");
        assert!(
            saw.starts_with("consumer ended with exit status 1"),
            "{saw}"
        );
        assert!(saw.contains("line 19.") && saw.contains("line 10.") && !saw.contains("line 9."));
    }

    #[test]
    fn a_program_that_was_stopped_or_meant_to_end_is_judged_by_what_it_did() {
        let killed = vec![Happening::Deed(Deed::Killed), ended(9)];
        assert!(ended_at_once(&moments(killed)).is_none());
        let printed = vec![Happening::Out("Done.".to_string()), ended(0)];
        assert!(ended_at_once(&moments(printed)).is_none());
        assert!(ended_at_once(&[]).is_none());
        let too_late = vec![ended(1), Happening::Deed(Deed::Interrupted)];
        assert!(ended_at_once(&moments(too_late)).is_some());
        assert!(ended_at_once(&moments(vec![ended(0)])).is_some());
    }
}
