//! The charges in the billing database, and how they differ from the payments that were published.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use common::Payment;
use serde::{Deserialize, Serialize};

use crate::data::money::{Dollars, to_cents};

/// A row of the table `charges`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    pub event_id: String,
    pub user_id: String,
    /// The amount in cents; `None` if it is not a number.
    pub cents: Option<i64>,
}

/// All rows of the table at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charges {
    pub rows: Vec<Charge>,
    /// Why the rows could not be read.
    pub problem: Option<String>,
}

/// How the charges differ from the payments that were published. A payment that was published twice counts once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// Payments without a charge.
    pub left_out: usize,
    /// Charges for a payment after its first one.
    pub again: usize,
    /// First charges for a payment that have a wrong user or a wrong amount.
    pub wrong: usize,
    /// Charges that belong to no payment.
    pub invented: usize,
    /// The users whose charges have a wrong sum. Each comes with this sum and the right one, in cents.
    pub users: Vec<(String, i64, i64)>,
}

impl Charges {
    /// Is there a charge for this event?
    pub fn has(&self, event_id: &str) -> bool {
        self.rows.iter().any(|row| row.event_id == event_id)
    }

    /// How many different events are charged.
    pub fn different(&self) -> usize {
        self.event_ids().len()
    }

    fn event_ids(&self) -> BTreeSet<&str> {
        self.rows.iter().map(|row| row.event_id.as_str()).collect()
    }

    /// How many of these payments are charged at least once.
    pub fn how_many_of(&self, payments: &[Payment]) -> usize {
        let charged = self.event_ids();
        let is_charged = |payment: &&Payment| charged.contains(payment.event_id.as_str());
        payments.iter().filter(is_charged).count()
    }

    /// Is every one of these payments charged at least once?
    pub fn have_all(&self, payments: &[Payment]) -> bool {
        self.how_many_of(payments) == payments.len()
    }

    /// The sum of all charges, in cents.
    pub fn cents(&self) -> i64 {
        let cents = self.rows.iter().filter_map(|row| row.cents);
        // A program may have written amounts of any size.
        cents.fold(0, i64::saturating_add)
    }

    /// The charges for these payments.
    pub fn only(&self, payments: &[Payment]) -> Self {
        self.matching(payments, true)
    }

    /// The charges for anything except these payments.
    pub fn without(&self, payments: &[Payment]) -> Self {
        self.matching(payments, false)
    }

    /// The charges for these payments, or all others.
    fn matching(&self, payments: &[Payment], wanted: bool) -> Self {
        let ids: BTreeSet<&str> = payments.iter().map(|one| one.event_id.as_str()).collect();
        let rows = self.rows.iter();
        Self {
            rows: rows
                .filter(|row| ids.contains(row.event_id.as_str()) == wanted)
                .cloned()
                .collect(),
            problem: self.problem.clone(),
        }
    }

    /// Compares the charges with the payments.
    pub fn compare(&self, payments: &[Payment]) -> Bill {
        let mut bill = Bill::default();
        let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
        let mut unpaid: BTreeMap<&str, (&str, Option<i64>)> = BTreeMap::new();
        for payment in payments {
            let cents = to_cents(payment.amount);
            if unpaid
                .insert(&payment.event_id, (&payment.user_id, cents))
                .is_none()
            {
                sums.entry(&payment.user_id).or_default().1 += cents.unwrap_or_default();
            }
        }
        let known = unpaid.clone();
        for row in &self.rows {
            let charged = &mut sums.entry(&row.user_id).or_default().0;
            *charged = charged.saturating_add(row.cents.unwrap_or_default());
            let expected = known.get(row.event_id.as_str());
            match expected {
                None => bill.invented += 1,
                Some(_) if unpaid.remove(row.event_id.as_str()).is_none() => bill.again += 1,
                Some(expected) if *expected != (row.user_id.as_str(), row.cents) => bill.wrong += 1,
                Some(_) => {}
            }
        }
        bill.left_out = unpaid.len();
        let differ = sums.into_iter().filter(|(_, (is, should))| is != should);
        bill.users = differ
            .map(|(user, (is, should))| (user.to_string(), is, should))
            .collect();
        bill
    }
}

/// How many charges there are, and their sum: `20 charges, $1234.50`. If they could not be read, the reason.
impl fmt::Display for Charges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(problem) = &self.problem {
            return write!(f, "no readable charges ({problem})");
        }
        let count = self.rows.len();
        let charges = if count == 1 { "charge" } else { "charges" };
        write!(f, "{count} {charges}, {}", Dollars(self.cents()))
    }
}

impl Bill {
    /// Is each payment charged once, with the right user and amount, and nothing else?
    pub fn is_right(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Bill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_right() {
            return f.write_str("every payment was charged once");
        }
        let counts = [
            ("payments without a charge", self.left_out),
            ("repeated charges", self.again),
            ("charges with a wrong user or amount", self.wrong),
            ("charges for something that is not a payment", self.invented),
        ];
        let found = counts.iter().filter(|(_, count)| *count > 0);
        let found: Vec<String> = found
            .map(|(what, count)| format!("{what}: {count}"))
            .collect();
        f.write_str(&found.join(", "))?;
        if let Some((user, is, should)) = self.users.first() {
            write!(
                f,
                "; users with a wrong sum: {}, for example {user} with {} instead of {}",
                self.users.len(),
                Dollars(*is),
                Dollars(*should)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payment(event_id: &str, user_id: &str, amount: f64) -> Payment {
        Payment {
            event_id: event_id.to_string(),
            user_id: user_id.to_string(),
            amount,
            timestamp: 0.0,
        }
    }

    fn charge(event_id: &str, user_id: &str, cents: i64) -> Charge {
        Charge {
            event_id: event_id.to_string(),
            user_id: user_id.to_string(),
            cents: Some(cents),
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_bill() {
        // The first payment was published twice, but it is one payment.
        let payments = [
            payment("a", "ann", 0.1),
            payment("a", "ann", 0.1),
            payment("b", "bob", 1.15),
            payment("c", "cid", 2.0),
        ];
        let rows = vec![
            charge("a", "ann", 10),
            charge("b", "bob", 115),
            charge("c", "cid", 200),
        ];
        let right = Charges {
            rows: rows.clone(),
            problem: None,
        };
        assert!(right.compare(&payments).is_right());

        let wrong = Charges {
            rows: vec![
                rows[0].clone(),
                rows[0].clone(),
                charge("b", "bob", 114),
                charge("d", "dan", 500),
            ],
            problem: None,
        };
        let bill = wrong.compare(&payments);
        assert_eq!(
            (bill.left_out, bill.again, bill.wrong, bill.invented),
            (1, 1, 1, 1)
        );
        assert_eq!(
            bill.to_string(),
            "payments without a charge: 1, repeated charges: 1, charges with a wrong user or amount: 1, charges for \
             something that is not a payment: 1; users with a wrong sum: 4, for example ann with $0.20 instead of $0.10"
        );
        assert_eq!(wrong.to_string(), "4 charges, $6.34");
    }
}
