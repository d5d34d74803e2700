//! Everything that was measured, as JSON.

use serde::{Deserialize, Serialize};

use crate::trade::Choice;

/// Everything that was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// The machine, in words.
    pub machine: String,
    /// Kafka's version, and where it ran.
    pub kafka: String,
    /// How many events the topic had.
    pub events: u64,
    /// How often each speed was measured.
    pub rounds: usize,
    pub trade: Vec<Choice>,
}
