//! What scenarios showed, kept for all checks of a lane that look at them.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context, Error, Result, bail};
use cluster::Unreadable;

/// From when to when.
pub type Stretch = (Instant, Instant);

/// The evidence of one lane, by the scenarios' names.
pub struct Evidence {
    kept: RefCell<HashMap<&'static str, Kept>>,
    /// When the scenario that runs now was begun, and how many scenarios run within each other.
    begun: Cell<Instant>,
    depth: Cell<u32>,
    looked_at: RefCell<Vec<Stretch>>,
}

struct Kept {
    outcome: Outcome,
    during: Stretch,
}

/// What a scenario came to.
#[derive(Clone)]
enum Outcome {
    Seen(Rc<dyn Any>),
    /// Why nothing could be seen. That holds for every check that looks at it.
    Failed(Rc<Error>),
    /// It panicked over what the program left. Every check that looks at it fails.
    Panicked,
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            kept: RefCell::default(),
            begun: Cell::new(Instant::now()),
            depth: Cell::default(),
            looked_at: RefCell::default(),
        }
    }
}

impl Evidence {
    /// What the scenario of this name showed. `run` brings it about, once.
    ///
    /// # Errors
    /// The error of `run`, each time.
    ///
    /// # Panics
    /// If `run` panicked, each time.
    pub fn of<T: 'static>(
        &self,
        name: &'static str,
        run: impl FnOnce() -> Result<T>,
    ) -> Result<Rc<T>> {
        if !self.kept.borrow().contains_key(name) {
            self.bring_about(name, run);
        }
        let kept = self.kept.borrow();
        let Kept { outcome, during } = kept.get(name).context("no evidence")?;
        if self.depth.get() == 0 {
            self.looked_at.borrow_mut().push(*during);
        }
        let outcome = outcome.clone();
        drop(kept);
        match outcome {
            Outcome::Seen(evidence) => evidence
                .downcast()
                .map_err(|_| Error::msg(format!("two scenarios have the name {name}"))),
            Outcome::Failed(error) => match error.downcast_ref::<Unreadable>() {
                Some(unreadable) => bail!(unreadable.clone()),
                None => bail!("{error:#}"),
            },
            Outcome::Panicked => resume_unwind(Box::new(format!("scenario {name} panicked"))),
        }
    }

    fn bring_about<T: 'static>(&self, name: &'static str, run: impl FnOnce() -> Result<T>) {
        self.depth.set(self.depth.get() + 1);
        self.begun.set(Instant::now());
        let outcome = match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(evidence)) => Outcome::Seen(Rc::new(evidence)),
            Ok(Err(error)) => Outcome::Failed(Rc::new(error)),
            Err(_) => Outcome::Panicked,
        };
        let during = (self.begun.get(), Instant::now());
        // A scenario that needed this one first begins now.
        self.begun.set(during.1);
        self.depth.set(self.depth.get() - 1);
        self.kept
            .borrow_mut()
            .insert(name, Kept { outcome, during });
    }

    /// When the scenarios ran that were looked at since this was last called.
    pub fn take_looked_at(&self) -> Vec<Stretch> {
        self.looked_at.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_of_one_type_keep_their_own_evidence() -> Result<()> {
        let evidence = Evidence::default();
        assert_eq!(*evidence.of("first", || Ok(1))?, 1);
        assert_eq!(*evidence.of("second", || Ok(2))?, 2);
        assert_eq!(*evidence.of("first", || Ok(3))?, 1);
        Ok(())
    }

    #[test]
    fn a_scenario_that_panics_leaves_nothing_behind() -> Result<()> {
        let evidence = Evidence::default();
        let mut runs = 0;
        for _ in 0..2 {
            let looked = catch_unwind(AssertUnwindSafe(|| {
                evidence.of::<()>("panics", || {
                    runs += 1;
                    panic!("what a program left");
                })
            }));
            assert!(looked.is_err());
        }
        assert_eq!(runs, 1, "it was brought about again");
        evidence.take_looked_at();
        evidence.of("later", || Ok(()))?;
        assert_eq!(
            evidence.take_looked_at().len(),
            1,
            "what happened in a later scenario is lost"
        );
        Ok(())
    }

    #[test]
    fn what_a_scenario_needed_is_no_part_of_it() -> Result<()> {
        let evidence = Evidence::default();
        evidence.of("outer", || evidence.of("inner", || Ok(())).map(drop))?;
        let [(from, _)] = evidence.take_looked_at()[..] else {
            panic!("one stretch was looked at");
        };
        evidence.of("inner", || Ok(()))?;
        let [(_, inner_end)] = evidence.take_looked_at()[..] else {
            panic!("one stretch was looked at");
        };
        assert!(inner_end <= from);
        Ok(())
    }
}
