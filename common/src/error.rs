//! The error that ends a lab program.

use std::fmt;

/// What went wrong, in a sentence.
///
/// `main` prints a returned error with `Debug`. Here that is the message itself, so a program may use `?`
/// everywhere and still end in words that a person can read.
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
        if message.contains("AllBrokersDown") {
            message = format!(
                "Kafka has gone away ({message}). `cargo lab status` tells whether it runs."
            );
        } else if message.contains("fenced by a newer instance") {
            message = format!(
                "Another instance with the same transactional.id has taken over ({message})."
            );
        }
        Self(message)
    }
}
