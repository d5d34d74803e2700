//! The error that ends a lab program.

use std::fmt;

/// What went wrong, as a sentence for people.
///
/// If `main` returns an error, Rust prints it with `Debug`. For this type, `Debug` prints only the message. A program
/// can therefore use `?` everywhere and still end with a message that people can read.
pub struct Error(String);

impl Error {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        if message.contains("BrokerTransportFailure") {
            message = format!(
                "Kafka no longer answers ({message}). Run `cargo lab status` to see whether it is running."
            );
        } else if message.contains("fenced by a newer instance") {
            message = format!(
                "Another instance with the same transactional.id has taken over ({message}). Run only one at a time."
            );
        }
        Self(message)
    }
}
