//! `cargo lab pay`: publishes payments for task 5, and says what each user must be charged.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use anyhow::Result;
use cluster::{Kafka, table};
use common::{PAYMENTS, Payment};
use judge::{as_payloads, malformed_payments, random_payments};
use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::kafka;

/// Publishes `count` payments, `duplicates` of them a second time, and `malformed` messages that are not payments.
pub fn pay(count: u64, duplicates: usize, malformed: usize) -> Result<ExitCode> {
    let (cluster, partitions) = kafka::with_topic(PAYMENTS)?;
    let payments = as_payloads(&random_payments(count))?;
    cluster.send(PAYMENTS, None, &payments)?;
    let mut rng = rand::rng();
    for again in payments.sample(&mut rng, duplicates) {
        let anywhere = rng.random_range(0..partitions);
        cluster.send(PAYMENTS, Some(anywhere), std::slice::from_ref(again))?;
    }
    cluster.send(PAYMENTS, None, &malformed_payments(malformed))?;
    println!(
        "Published to {PAYMENTS}: {count} payments, {} of them twice, and {malformed} messages that are not payments.",
        duplicates.min(payments.len())
    );
    println!("When billing has processed everything in {PAYMENTS}, the database must contain:");
    println!("{}", bills(&cluster)?);
    println!(
        "To see what it contains, run: SELECT user_id, count(*), sum(amount) FROM charges GROUP BY user_id;"
    );
    Ok(ExitCode::SUCCESS)
}

/// A table of what each user must be charged for all payments in the topic, each `event_id` once.
fn bills(cluster: &Kafka) -> Result<String> {
    let mut known = BTreeSet::new();
    let mut bills: BTreeMap<String, (u64, f64)> = BTreeMap::new();
    let mut all = (0, 0.0);
    for record in cluster.records(PAYMENTS)? {
        let Ok(payment) = Payment::parse(record.payload.value.as_deref().unwrap_or_default())
        else {
            continue;
        };
        if known.insert(payment.event_id) {
            let bill = bills.entry(payment.user_id).or_default();
            for (count, total) in [bill, &mut all] {
                *count += 1;
                *total += payment.amount;
            }
        }
    }
    let bills = bills.into_iter().chain([("all".to_string(), all)]);
    let rows = bills.map(|(user, (count, total))| {
        let total = format!("${total:.2}");
        [user, count.to_string(), total]
    });
    Ok(table(&["user", "charges", "total"], &[1, 2], rows))
}
