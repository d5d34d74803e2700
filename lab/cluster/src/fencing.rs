//! Takes over a transactional id. librdkafka can do this as well, but it asks again only every 500 ms while the open transaction
//! is being aborted.

use anyhow::{Result, bail};
use broker::wait;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, TransactionalId};
use kafka_protocol::protocol::StrBytes;

use crate::wire::{ANSWER_LIMIT, Brokers};

/// Asks for a new epoch of the transactional id, until the open transaction of the producer that had it is aborted. The cluster
/// must be a single broker, which then coordinates every transaction.
///
/// # Errors
/// If the broker does not answer or refuses.
pub fn fence(brokers: &mut Brokers, transactional_id: &str) -> Result<()> {
    const VERSION: i16 = 1;
    /// The broker aborts what we leave open after this time. We never open anything.
    const TIMEOUT_MS: i32 = 60_000;
    let id = StrBytes::from_string(transactional_id.to_string());
    let take_over = InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(id)))
        .with_transaction_timeout_ms(TIMEOUT_MS);
    let what = format!("the transaction of {transactional_id} to be aborted");
    wait::until(&what, ANSWER_LIMIT, || {
        let answer = brokers.ask_any(&take_over, VERSION, ANSWER_LIMIT)?;
        match ResponseError::try_from_code(answer.error_code) {
            None => Ok(Some(())),
            Some(
                ResponseError::ConcurrentTransactions
                | ResponseError::CoordinatorLoadInProgress
                | ResponseError::CoordinatorNotAvailable,
            ) => Ok(None),
            Some(error) => bail!("{transactional_id} cannot be taken over: {error}"),
        }
    })
}
