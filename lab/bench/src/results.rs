//! Everything that was measured, as JSON.

use serde::{Deserialize, Serialize};

use crate::exactly_once::Copied;
use crate::growth::Growth;
use crate::limit::Compared;
use crate::pause::Paused;
use crate::producer::Published;
use crate::trade::Choice;
use crate::yours::Yours;

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
    /// Empty if there were too few events.
    pub pause: Vec<Paused>,
    pub limit: Vec<Compared>,
    /// This and the next are empty if the workspace does not contain the solutions.
    pub producer: Vec<Published>,
    pub exactly_once: Vec<Copied>,
    /// How speed and memory grow, if this was measured.
    pub growth: Option<Growth>,
    /// The user's consumer, if it was measured.
    pub yours: Option<Yours>,
}
