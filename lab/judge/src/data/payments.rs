//! Payments to publish: random, so that nothing can be charged without reading them; and what is none.

use std::time::UNIX_EPOCH;

use anyhow::Result;
use common::Payment;
use rand::RngExt;

use cluster::Payload;

/// This many payments of random users. Their ids are new ones: nobody has used them before, and none comes twice.
pub fn random_payments(count: u64) -> Vec<Payment> {
    let mut rng = rand::rng();
    let run: u32 = rng.random();
    let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64();
    (1..=count)
        .map(|number| {
            let cents: u32 = rng.random_range(100..=50_000);
            Payment {
                event_id: format!("pay-{run:08x}-{number}"),
                user_id: format!("user_{}", rng.random_range(1..=20)),
                amount: f64::from(cents) / 100.0,
                timestamp: now,
            }
        })
        .collect()
}

/// Payments as messages, keyed by user.
///
/// # Errors
/// None that is known.
pub fn as_payloads(payments: &[Payment]) -> Result<Vec<Payload>> {
    let payloads = payments.iter().map(|one| Payload::of(&one.user_id, one));
    payloads.collect()
}

/// This many messages that are no payments, each for another reason than the one before.
pub fn malformed_payments(count: usize) -> Vec<Payload> {
    const VALUES: &[&[u8]] = &[
        b"{\"event_id\": \"pay-",
        b"\xff\x00 no text",
        b"[\"pay-1\", \"user_1\", 12.5, 0]",
        b"{\"user_id\": \"user_1\", \"amount\": 12.5}",
        b"{\"event_id\": \"\", \"user_id\": \"user_1\", \"amount\": 12.5}",
        b"{\"event_id\": 17, \"user_id\": \"user_1\", \"amount\": 12.5}",
        b"{\"event_id\": \"pay-2\", \"user_id\": null, \"amount\": 12.5}",
        b"{\"event_id\": \"pay-3\", \"user_id\": \"user_1\", \"amount\": \"12.5\"}",
        b"{\"event_id\": \"pay-4\", \"user_id\": \"user_1\", \"amount\": 0}",
        b"{\"event_id\": \"pay-5\", \"user_id\": \"user_1\", \"amount\": -12.5}",
        b"{\"event_id\": \"pay-6\", \"user_id\": \"user_1\", \"amount\": 1e999}",
    ];
    let values = VALUES.iter().cycle().take(count);
    values
        .map(|value| Payload {
            key: Some(b"user_1".to_vec()),
            value: Some(value.to_vec()),
        })
        .collect()
}
