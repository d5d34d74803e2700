//! Payments to publish, and messages that are not payments. The payments are random, so that a program must read them before
//! it can charge anything.

use std::time::UNIX_EPOCH;

use anyhow::Result;
use common::Payment;
use rand::RngExt;

use cluster::Payload;

/// Returns `count` payments of random users. Each has an id that has not been used before.
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

/// Returns the payments as messages whose key is the user.
///
/// # Errors
/// If a payment cannot be written as JSON.
pub fn as_payloads(payments: &[Payment]) -> Result<Vec<Payload>> {
    let payloads = payments.iter().map(|one| Payload::of(&one.user_id, one));
    payloads.collect()
}

/// Returns a payment, and a message of it that has only what makes a payment: a whole amount without decimals, and no timestamp.
pub fn bare_payment() -> (Payment, Payload) {
    let mut payment = random_payments(1).remove(0);
    payment.amount = payment.amount.ceil();
    payment.timestamp = 0.0;
    let (id, user, amount) = (&payment.event_id, &payment.user_id, payment.amount);
    let value = format!(r#"{{"event_id": "{id}", "user_id": "{user}", "amount": {amount:.0}}}"#);
    let message = Payload {
        key: Some(user.clone().into_bytes()),
        value: Some(value.into_bytes()),
    };
    (payment, message)
}

/// Returns `count` messages that are not payments. The reason differs from one message to the next; after twelve messages,
/// the reasons repeat.
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
        b"{\"event_id\": \"pay-7\", \"user_id\": \"user_1\", \"amount\": true}",
    ];
    let values = VALUES.iter().cycle().take(count);
    values
        .map(|value| Payload {
            key: Some(b"user_1".to_vec()),
            value: Some(value.to_vec()),
        })
        .collect()
}
