//! Events to publish. They are random, so that a program must read them before it can print anything about them.

use std::time::UNIX_EPOCH;

use common::{Event, EventType};
use rand::RngExt;
use rand::seq::SliceRandom;

/// Returns `count` events of random users. Their ids begin at `first_id`.
///
/// Each group of twenty events contains three purchases with an amount, three purchases without an amount, and three other
/// events with an amount. So every rule about purchases and amounts has events that it applies to. The rest is random.
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

/// Returns a first event id that a program cannot guess. All ids fit into 32 bits, the size of an integer in many languages.
pub fn first_id() -> u64 {
    rand::random_range(0..2_000_000_000)
}

/// Returns one purchase with an amount for each of the twenty users, in random order. The ids begin at `first_id`.
///
/// Twenty keys are enough to reach every partition. So after these events are published, the last event of every partition
/// is one of them.
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

/// Returns the types of twenty events and whether each has an amount, in random order.
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
