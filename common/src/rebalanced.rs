//! Noticing that the group has rebalanced.

use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};

/// A consumer context that records whether partitions were assigned or revoked. This happens only inside `poll`.
#[derive(Default)]
pub struct Rebalanced(AtomicBool);

impl ClientContext for Rebalanced {}

impl ConsumerContext for Rebalanced {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, _: &Rebalance<'_>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Rebalanced {
    /// Has the group rebalanced since the last call?
    pub fn happened(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}
