//! Noticing that records were not delivered.

use std::sync::atomic::{AtomicU64, Ordering};

use rdkafka::ClientContext;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

/// A producer context that counts the records that were not delivered. `flush` succeeds even if there are some.
#[derive(Default)]
pub struct Undelivered(AtomicU64);

impl ClientContext for Undelivered {}

impl ProducerContext for Undelivered {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        self.0.fetch_add(result.is_err().into(), Ordering::Relaxed);
    }
}

impl Undelivered {
    /// How many records were not delivered so far.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
