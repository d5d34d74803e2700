//! One cause for which all checks of a task fail: there is no program whose behavior could be judged.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is wrong, and with which programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    pub programs: Vec<String>,
    pub what: What,
}

/// What is wrong with programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    NotSubmitted,
    DoesNotCompile,
    /// They end before they have done anything with Kafka.
    EndsAtOnce,
}

/// What is seen of a program that was not submitted, if there is nothing more to say.
pub const NOT_SUBMITTED: &str = "it was not submitted";

/// There is no program whose behavior could be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoProgram {
    pub cause: Cause,
    /// The details, such as the compiler's errors.
    pub saw: String,
}

impl Cause {
    /// What the checks expected instead.
    pub fn expected(&self) -> String {
        let programs = in_words(&self.programs);
        let noun = self.one_or_more("a program named", "programs named");
        match self.what {
            What::NotSubmitted | What::DoesNotCompile => format!("{noun} {programs}"),
            What::EndsAtOnce => format!(
                "{noun} {programs}, which {}",
                self.one_or_more("works with Kafka", "work with Kafka")
            ),
        }
    }

    /// Where the student should look.
    pub fn hint(&self) -> &'static str {
        match self.what {
            What::NotSubmitted => {
                "Is the program in the folder that you submitted, and does its name match?"
            }
            What::DoesNotCompile => {
                "Fix the first compiler error first; the others may go away with it."
            }
            What::EndsAtOnce => {
                "Start the program by itself. What are the last lines that it prints?"
            }
        }
    }

    /// Adds the programs of another cause.
    pub fn add(&mut self, other: &Self) {
        for program in &other.programs {
            if !self.programs.contains(program) {
                self.programs.push(program.clone());
            }
        }
    }

    fn one_or_more<'a>(&self, one: &'a str, more: &'a str) -> &'a str {
        if self.programs.len() == 1 { one } else { more }
    }
}

/// The cause as a sentence without a period: `consumer does not compile`.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::NotSubmitted => self.one_or_more("was not submitted", "were not submitted"),
            What::DoesNotCompile => self.one_or_more("does not compile", "do not compile"),
            What::EndsAtOnce => self.one_or_more("ends at once", "end at once"),
        };
        write!(f, "{} {what}", in_words(&self.programs))
    }
}

/// `billing`; `billing and consumer`; `billing, consumer and producer`.
pub fn in_words(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_all_programs() {
        let cause = |programs: &[&str]| Cause {
            programs: programs.iter().map(ToString::to_string).collect(),
            what: What::NotSubmitted,
        };
        let mut both = cause(&["billing"]);
        assert_eq!(both.to_string(), "billing was not submitted");
        both.add(&cause(&["billing", "consumer"]));
        assert_eq!(both.to_string(), "billing and consumer were not submitted");
        both.add(&cause(&["producer"]));
        assert_eq!(
            both.expected(),
            "programs named billing, consumer and producer"
        );
    }
}
