//! Events to publish: random, so that nothing can be printed about them without reading them.

use std::time::UNIX_EPOCH;

use common::{Event, EventType};
use rand::RngExt;

/// This many events of random users, with ids from `first_id` on.
pub fn random_events(first_id: u64, count: u64) -> Vec<Event> {
    let mut rng = rand::rng();
    let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64();
    (first_id..first_id + count)
        .map(|event_id| {
            let cents: u32 = rng.random_range(1_000..=50_000);
            Event {
                event_id,
                user_id: format!("user_{}", rng.random_range(1..=20)),
                event_type: EventType::ALL[rng.random_range(0..EventType::ALL.len())],
                timestamp: now,
                amount: rng.random_bool(0.3).then_some(f64::from(cents) / 100.0),
            }
        })
        .collect()
}
