//! Telling messages from errors, and errors that end a program from those that do not.

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

use crate::Error;

/// The message that `poll` has returned, or `None` if there is none yet.
///
/// If the connection to Kafka fails, the client connects again by itself. So this prints the error, and the program goes
/// on. Every other error is returned, because it may be about a message. A program that ignored it might commit past
/// that message.
///
/// # Errors
/// When `poll` has returned an error that is not about the connection.
pub fn received<M>(polled: Option<KafkaResult<M>>) -> Result<Option<M>, Error> {
    match polled {
        Some(Err(error)) if is_about_the_connection(&error) => {
            eprintln!(
                "No connection to Kafka ({error}). The client tries again by itself. `cargo lab status` says whether \
                 Kafka is running."
            );
            Ok(None)
        }
        other => Ok(other.transpose()?),
    }
}

/// Whether an error that `poll` has returned only means that a broker cannot be reached at the moment.
pub fn is_about_the_connection(error: &KafkaError) -> bool {
    matches!(
        error,
        KafkaError::MessageConsumption(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::Resolve
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(code: RDKafkaErrorCode) -> Result<Option<()>, Error> {
        received(Some(Err(KafkaError::MessageConsumption(code))))
    }

    #[test]
    fn only_errors_about_messages_are_returned() {
        assert!(matches!(received(Some(Ok(1))), Ok(Some(1))));
        assert!(matches!(received::<()>(None), Ok(None)));
        assert!(matches!(after(RDKafkaErrorCode::AllBrokersDown), Ok(None)));
        assert!(after(RDKafkaErrorCode::UnknownTopicOrPartition).is_err());
        assert!(after(RDKafkaErrorCode::BadMessage).is_err());
    }
}
