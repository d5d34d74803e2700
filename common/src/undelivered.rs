//! Noticing that records were not delivered.

use std::sync::atomic::{AtomicU64, Ordering};

use rdkafka::ClientContext;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

/// A producer's context that counts the records that the broker did not take. (`flush` succeeds for them, too.)
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
    /// How many so far.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
