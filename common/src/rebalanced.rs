//! Noticing that the group has rebalanced.

use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};

/// A consumer's context that notes that partitions have come or gone. That happens only within its `poll`.
#[derive(Default)]
pub struct Rebalanced(AtomicBool);

impl ClientContext for Rebalanced {}

impl ConsumerContext for Rebalanced {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, _: &Rebalance<'_>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Rebalanced {
    /// Has there been a rebalance since this was last asked?
    pub fn happened(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}
