//! What the billing database holds, and what it should hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use common::Payment;

use crate::data::money::{Dollars, to_cents};

/// A row of the table `charges`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    pub event_id: String,
    pub user_id: String,
    /// `None` where its amount is no number.
    pub cents: Option<i64>,
}

/// All rows at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charges {
    pub rows: Vec<Charge>,
    /// Why they cannot be told.
    pub problem: Option<String>,
}

/// The charges against the payments that were published, each of them once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// Payments that nobody was charged for.
    pub left_out: usize,
    /// Charges beyond the first for a payment.
    pub again: usize,
    /// Charges for a payment, but of another user or another amount.
    pub wrong: usize,
    /// Charges for what is no payment.
    pub invented: usize,
    /// Users who are charged another sum than they are to pay: their sums in cents, that which is and that which should be.
    pub users: Vec<(String, i64, i64)>,
}

impl Charges {
    /// Is there a charge for this event?
    pub fn has(&self, event_id: &str) -> bool {
        self.rows.iter().any(|row| row.event_id == event_id)
    }

    /// How many different payments are charged.
    pub fn different(&self) -> usize {
        self.event_ids().len()
    }

    fn event_ids(&self) -> BTreeSet<&str> {
        self.rows.iter().map(|row| row.event_id.as_str()).collect()
    }

    /// Is every one of these payments charged, once or more?
    pub fn have_all(&self, payments: &[Payment]) -> bool {
        let charged = self.event_ids();
        payments
            .iter()
            .all(|payment| charged.contains(payment.event_id.as_str()))
    }

    /// What they add up to, in cents.
    pub fn cents(&self) -> i64 {
        let cents = self.rows.iter().filter_map(|row| row.cents);
        // A table may hold any amounts.
        cents.fold(0, i64::saturating_add)
    }

    /// Those for these payments.
    pub fn only(&self, payments: &[Payment]) -> Self {
        self.where_paid(payments, true)
    }

    /// Those for anything else.
    pub fn without(&self, payments: &[Payment]) -> Self {
        self.where_paid(payments, false)
    }

    fn where_paid(&self, payments: &[Payment], paid: bool) -> Self {
        let ids: BTreeSet<&str> = payments.iter().map(|one| one.event_id.as_str()).collect();
        let rows = self.rows.iter();
        Self {
            rows: rows
                .filter(|row| ids.contains(row.event_id.as_str()) == paid)
                .cloned()
                .collect(),
            problem: self.problem.clone(),
        }
    }

    /// Compares them with the payments.
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

/// How many, and what they add up to: `20 charges, $1234.50`. Or why that cannot be told.
impl fmt::Display for Charges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(problem) = &self.problem {
            return write!(f, "no charges that can be read ({problem})");
        }
        write!(f, "{} charges, {}", self.rows.len(), Dollars(self.cents()))
    }
}

impl Bill {
    /// Is everybody charged just what they are to pay, each payment once?
    pub fn is_right(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Bill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_right() {
            return f.write_str("every payment charged once");
        }
        let counts = [
            (self.left_out, "left out"),
            (self.again, "charged again"),
            (self.wrong, "with another user or amount"),
            (self.invented, "charged though they are no payments"),
        ];
        let told = counts.iter().filter(|(count, _)| *count > 0);
        let told: Vec<String> = told
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        f.write_str(&told.join(", "))?;
        if let Some((user, is, should)) = self.users.first() {
            write!(
                f,
                "; wrong sums for {} users, such as {user}: {} instead of {}",
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
    fn tells_what_is_wrong_with_a_bill() {
        // The first payment came twice; it is one.
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
        assert_eq!(bill.users.len(), 4);
        assert_eq!(wrong.to_string(), "4 charges, $6.34");
    }
}
