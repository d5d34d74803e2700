//! The rows of the billing database at one moment. Another process reads them.

use anyhow::{Context, Result};
use common::Payment;
use confine::helper::Reply;
use serde::de::DeserializeOwned;

use crate::bench::database::Database;
use crate::task5_billing::charges::Charges;
use crate::task5_billing::reading::Question;

/// The charges at this moment. If the database cannot be read, there are no rows, and `problem` says why.
///
/// # Errors
/// If the process that reads fails for a reason that is not in the database.
pub fn charges(database: &Database) -> Result<Charges> {
    let answer = ask(database, &Question::Charges)?;
    let problem = answer.as_ref().err().cloned();
    Ok(Charges {
        rows: answer.unwrap_or_default(),
        problem,
    })
}

/// The answer to [`Question::IsBetween`]. It is no if the database cannot be read.
///
/// # Errors
/// As [`charges`].
pub fn is_between(database: &Database, payments: &[Payment]) -> Result<bool> {
    let ids = payments.iter().map(|payment| payment.event_id.clone());
    let answer = ask(database, &Question::IsBetween(ids.collect()))?;
    Ok(answer.unwrap_or_default())
}

/// The answer, or why the database cannot be read.
fn ask<T: DeserializeOwned>(database: &Database, question: &Question) -> Result<Result<T, String>> {
    match database.ask(&serde_json::to_string(question)?)? {
        Reply::Answer(answer) => serde_json::from_str(&answer)
            .context("the process that reads the database gave an answer that is not one"),
        Reply::Ended(reason) => Ok(Err(reason)),
    }
}
