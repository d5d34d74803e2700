//! Where the seconds of a submission went.

use std::collections::BTreeMap;

use broker::spent::Spent;

use crate::tasks::Task;
use crate::verdict::check::Check;

/// The time that a submission took, lane by lane: lanes run side by side, so this is more than the time by the clock.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Before the first task: the submission is built, and its confinement is tried out.
    pub preparation: Spent,
    /// Until each task had its brokers, one for each wing, by the task's number.
    brokers: BTreeMap<u32, Spent>,
    /// Each check, by its id. The first check that looks at a situation includes the time to bring it about.
    checks: BTreeMap<&'static str, Spent>,
}

impl Profile {
    /// Adds the time that a task has waited for a broker.
    pub fn add_broker(&mut self, task: u32, spent: Spent) {
        *self.brokers.entry(task).or_default() += spent;
    }

    /// Adds the time that a check has taken.
    pub fn add_check(&mut self, id: &'static str, spent: Spent) {
        *self.checks.entry(id).or_default() += spent;
    }

    /// Adds all that another submission has spent.
    pub fn add(&mut self, other: &Self) {
        self.preparation += other.preparation;
        for (task, spent) in &other.brokers {
            self.add_broker(*task, *spent);
        }
        for (id, spent) in &other.checks {
            self.add_check(id, *spent);
        }
    }

    /// The time until this task had its brokers.
    pub fn broker(&self, task: &Task) -> Spent {
        self.brokers.get(&task.number).copied().unwrap_or_default()
    }

    /// The time of each check of this task, in order. Checks that were not judged are left out.
    pub fn checks(&self, task: &Task) -> impl Iterator<Item = (&'static Check, Spent)> {
        let checks = task.checks.iter();
        checks.filter_map(|check| Some((check, *self.checks.get(check.id)?)))
    }

    /// The time of a task: for its brokers, and for its checks.
    pub fn task(&self, task: &Task) -> Spent {
        let mut all = self.broker(task);
        for (_, spent) in self.checks(task) {
            all += spent;
        }
        all
    }

    /// The time of all tasks until they had their brokers.
    pub fn all_brokers(&self) -> Spent {
        let mut all = Spent::default();
        for spent in self.brokers.values() {
            all += *spent;
        }
        all
    }

    /// All of it.
    pub fn total(&self) -> Spent {
        let mut all = self.preparation;
        all += self.all_brokers();
        for spent in self.checks.values() {
            all += *spent;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use broker::spent::Waiting;

    use super::*;
    use crate::tasks::TASKS;

    fn spent(what: Waiting, seconds: u64) -> Spent {
        let mut spent = Spent::default();
        spent.add(what, Duration::from_secs(seconds));
        spent
    }

    #[test]
    fn tasks_and_preparation_add_up_to_all() {
        let mut profile = Profile {
            preparation: spent(Waiting::Build, 1),
            ..Profile::default()
        };
        for task in TASKS {
            // A task may have two lanes.
            profile.add_broker(task.number, spent(Waiting::Broker, 2));
            profile.add_broker(task.number, spent(Waiting::Broker, 4));
            for check in task.checks {
                profile.add_check(check.id, spent(Waiting::Program, 8));
            }
        }
        let mut all = profile.preparation;
        for task in TASKS {
            assert_eq!(profile.broker(task).total(), Duration::from_secs(6));
            all += profile.task(task);
        }
        assert_eq!(profile.total(), all);
        let mut twice = profile.clone();
        twice.add(&profile);
        assert_eq!(twice.total().total(), all.total() * 2);
    }
}
