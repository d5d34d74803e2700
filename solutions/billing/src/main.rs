//! Task 5: charges each payment once, no matter how often the payment comes or when this program dies.
//!
//! The task sheet is docs/task5-billing.md.

#![allow(unused_imports, reason = "the holes need some of them")]

use std::time::Duration;

use common::{
    BILLING_SERVICE, Error, PAYMENTS, PAYMENTS_DLQ, Payment, SESSION_TIMEOUT_MS, Shutdown,
    Undelivered, billing_db, bootstrap_servers, received, require_topics,
};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::util::Timeout;
use rusqlite::Connection;

const BATCH_SIZE: usize = 20;

// SOLUTION(1): the database recognizes a payment that comes again, even after a crash.
const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS charges (event_id TEXT PRIMARY KEY, user_id TEXT, amount REAL)";
// END(1)

// SOLUTION(2): the second time, the same payment changes nothing.
const CHARGE: &str = "INSERT INTO charges (event_id, user_id, amount) VALUES (?1, ?2, ?3)
                      ON CONFLICT (event_id) DO NOTHING";
// END(2)

/// Charges the payments of a batch, all of them or none. Messages that are not payments become dead letters.
fn process(
    batch: &[OwnedMessage],
    database: &mut Connection,
    dead_letters: &BaseProducer<Undelivered>,
) -> Result<(), Error> {
    let mut report = Vec::new();
    let charges = database.transaction()?;
    for message in batch {
        let payment = match Payment::from_message(message) {
            Ok(payment) => payment,
            Err(error) => {
                // SOLUTION(3): the same key and the same bytes, so that people can see the whole message.
                let mut letter = BaseRecord::<[u8], [u8]>::to(PAYMENTS_DLQ);
                letter.key = message.key();
                letter.payload = message.payload();
                dead_letters.send(letter).map_err(|(error, _)| error)?;
                report.push(format!("Dead letter: {error:?}"));
                continue;
                // END(3)
            }
        };
        let row = (&payment.event_id, &payment.user_id, payment.amount);
        let what = match charges.execute(CHARGE, row)? {
            0 => "Already charged:",
            _ => "Charged",
        };
        report.push(format!("{what} {} ${:.2} ({})", row.1, row.2, row.0));
    }
    charges.commit()?;
    report.iter().for_each(|line| println!("{line}"));
    Ok(())
}

fn main() -> Result<(), Error> {
    require_topics(&[PAYMENTS, PAYMENTS_DLQ])?;
    let shutdown = Shutdown::on_ctrl_c()?;
    let mut database = Connection::open(billing_db())?;
    database.execute_batch(TABLE)?;
    let dead_letters: BaseProducer<Undelivered> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers())
        .set("client.id", "billing")
        .create_with_context(Undelivered::default())?;
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers())
        .set("client.id", "billing")
        .set("group.id", BILLING_SERVICE)
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", SESSION_TIMEOUT_MS)
        .set("enable.auto.commit", "false")
        .create()?;
    consumer.subscribe(&[PAYMENTS])?;

    let mut batch = Vec::new();
    while !shutdown.requested() {
        let message = received(consumer.poll(Duration::from_millis(500)))?;
        let ran_dry = message.is_none();
        batch.extend(message.map(|message| message.detach()));
        if batch.is_empty() || (batch.len() < BATCH_SIZE && !ran_dry) {
            continue;
        }

        process(&batch, &mut database, &dead_letters)?;
        // SOLUTION(4): a dead letter that is not acknowledged may be lost, so its message must come again.
        dead_letters.flush(Timeout::Never)?;
        if dead_letters.context().count() > 0 {
            return Err(Error::new(format!(
                "The broker refused a dead letter for {PAYMENTS_DLQ}."
            )));
        }
        // END(4)
        consumer.commit_consumer_state(CommitMode::Sync)?;
        println!("Committed batch of {}.", batch.len());
        batch.clear();
    }
    Ok(())
}
