//! Task 5: charges each payment once.

use std::env;
use std::time::Duration;

use confluent_kafka::consumer::{Consumer, ConsumerRecords, KafkaConsumer};
use confluent_kafka::producer::{KafkaProducer, ProducerRecord};
use confluent_kafka_rust::{Bytes, Result, close, consumer, producer, wake_up_on_ctrl_c};
use rusqlite::Connection;
use serde::Deserialize;

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS charges (event_id TEXT PRIMARY KEY, user_id TEXT, amount REAL)";
const CHARGE: &str = "INSERT INTO charges (event_id, user_id, amount) VALUES (?1, ?2, ?3) ON CONFLICT (event_id) DO NOTHING";

#[derive(Deserialize)]
struct Payment {
    event_id: String,
    user_id: String,
    amount: f64,
}

/// The payment in a message, if the message is a payment.
fn payment_in(value: Option<&Bytes>) -> Option<Payment> {
    // An array of three would be read as a payment, too.
    let json: serde_json::Map<_, _> = serde_json::from_slice(value?).ok()?;
    let payment: Payment = serde_json::from_value(json.into()).ok()?;
    let is_valid =
        !payment.event_id.is_empty() && payment.amount.is_finite() && payment.amount > 0.0;
    is_valid.then_some(payment)
}

/// Charges the payments of a batch, all of them or none. Messages that are not payments become dead letters.
async fn process(
    batch: &ConsumerRecords<Bytes, Bytes>,
    database: &mut Connection,
    dead_letters: &KafkaProducer<Bytes, Bytes>,
) -> Result<()> {
    let charges = database.transaction()?;
    for record in batch {
        if let Some(payment) = payment_in(record.value()) {
            charges.execute(
                CHARGE,
                (&payment.event_id, &payment.user_id, payment.amount),
            )?;
            continue;
        }
        let (key, value) = (
            record.key().map(|key| &key[..]),
            record.value().map(|value| &value[..]),
        );
        let letter = ProducerRecord::with_key("payments.dlq".to_string(), key, value);
        dead_letters.send(letter, None).await?.get().await?;
        println!(
            "Dead letter: offset {} of partition {}",
            record.offset(),
            record.partition()
        );
    }
    charges.commit()?;
    Ok(())
}

async fn read(consumer: &mut KafkaConsumer<Bytes, Bytes>, database: &mut Connection) -> Result<()> {
    let dead_letters = producer(&[])?;
    loop {
        let batch = consumer.poll(Duration::from_millis(500)).await?;
        if !batch.is_empty() {
            process(&batch, database, &dead_letters).await?;
            // Last: the committed offsets are never ahead of the database.
            consumer.commit_sync().await?;
            println!("Committed batch of {}.", batch.count());
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let file = env::var("BILLING_DB").unwrap_or_else(|_| "billing.db".to_string());
    let mut database = Connection::open(file)?;
    database.execute_batch(TABLE)?;
    let mut consumer = consumer("billing-service")?;
    wake_up_on_ctrl_c(consumer.handle())?;
    consumer
        .subscribe_with_topics(vec!["payments".to_string()])
        .await?;
    let outcome = read(&mut consumer, &mut database).await;
    close(consumer, outcome).await
}
