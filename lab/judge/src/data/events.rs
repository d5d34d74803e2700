//! Events to publish: random, so that nothing can be printed about them without reading them.

use std::time::UNIX_EPOCH;

use common::{Event, EventType};
use rand::RngExt;
use rand::seq::SliceRandom;

/// This many events of random users, with ids from `first_id` on. Among any twenty there are three purchases with an amount,
/// three without one, and three amounts without a purchase, so that no rule about them is tried on nothing; all else is
/// chance.
pub fn random_events(first_id: u64, count: u64) -> Vec<Event> {
    let mut rng = rand::rng();
    let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64();
    let mut kinds = Vec::new();
    (first_id..first_id + count)
        .map(|event_id| {
            if kinds.is_empty() {
                kinds = twenty_kinds();
            }
            let (event_type, has_amount) = kinds.pop().unwrap_or((EventType::Search, false));
            let cents: u32 = rng.random_range(1_000..=50_000);
            Event {
                event_id,
                user_id: format!("user_{}", rng.random_range(1..=20)),
                event_type,
                timestamp: now,
                amount: has_amount.then_some(f64::from(cents) / 100.0),
            }
        })
        .collect()
}

/// Where ids begin that cannot be guessed. They fit into 32 bits, as many languages have their integers.
pub fn first_id() -> u64 {
    rand::random_range(0..2_000_000_000)
}

/// A purchase with an amount of each of the twenty users, in random order, with ids from `first_id` on. There are more users
/// than a hash could put into one partition: each partition's last event is one of these.
pub fn a_purchase_of_each_user(first_id: u64) -> Vec<Event> {
    let mut rng = rand::rng();
    let mut events = random_events(first_id, 20);
    for (number, event) in (1..).zip(&mut events) {
        event.user_id = format!("user_{number}");
        event.event_type = EventType::Purchase;
        let cents: u32 = rng.random_range(1_000..=50_000);
        event.amount = Some(f64::from(cents) / 100.0);
    }
    events.shuffle(&mut rng);
    events
}

/// Types, and whether there is an amount, in random order.
fn twenty_kinds() -> Vec<(EventType, bool)> {
    let mut rng = rand::rng();
    let others = [EventType::PageView, EventType::AddToCart, EventType::Search];
    let mut kinds = [
        [(EventType::Purchase, true); 3],
        [(EventType::Purchase, false); 3],
    ]
    .concat();
    kinds.extend(others.map(|other| (other, true)));
    while kinds.len() < 20 {
        kinds.push((others[rng.random_range(0..others.len())], false));
    }
    kinds.shuffle(&mut rng);
    kinds
}
