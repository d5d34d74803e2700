//! Task 5 with a stream, and a future for each dead letter.

use std::time::Duration;

use common::{
    BILLING_SERVICE, Error, PAYMENTS, PAYMENTS_DLQ, Payment, Shutdown, billing_db,
    bootstrap_servers,
};
use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::message::OwnedMessage;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use rusqlite::Connection;
use tokio::runtime::Runtime;
use tokio::time::timeout;

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS charges (event_id TEXT PRIMARY KEY, user_id TEXT, amount REAL)";
const CHARGE: &str = "INSERT OR IGNORE INTO charges VALUES (?1, ?2, ?3)";

fn charge(database: &mut Connection, payments: &[Payment]) -> Result<(), Error> {
    let charges = database.transaction()?;
    for payment in payments {
        let row = (&payment.event_id, &payment.user_id, payment.amount);
        charges.execute(CHARGE, row)?;
    }
    charges.commit()?;
    for payment in payments {
        println!("Charged {} ${:.2}", payment.user_id, payment.amount);
    }
    Ok(())
}

async fn bury(message: &OwnedMessage, dead_letters: &FutureProducer) -> Result<(), Error> {
    let mut letter = FutureRecord::<[u8], [u8]>::to(PAYMENTS_DLQ);
    letter.key = message.key();
    letter.payload = message.payload();
    let sent = dead_letters.send(letter, Timeout::Never).await;
    sent.map_err(|(error, _)| error)?;
    println!("Dead letter.");
    Ok(())
}

async fn bill() -> Result<(), Error> {
    let shutdown = Shutdown::on_ctrl_c()?;
    let mut database = Connection::open(billing_db())?;
    database.execute_batch(TABLE)?;
    let dead_letters: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers())
        .create()?;
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers())
        .set("group.id", BILLING_SERVICE)
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", "10000")
        .set("enable.auto.commit", "false")
        .create()?;
    consumer.subscribe(&[PAYMENTS])?;
    while !shutdown.requested() {
        let mut payments = Vec::new();
        let mut read = 0;
        while read < 20 {
            let Ok(message) = timeout(Duration::from_millis(200), consumer.recv()).await else {
                break;
            };
            let message = message?.detach();
            read += 1;
            match Payment::from_message(&message) {
                Ok(payment) => payments.push(payment),
                Err(_) => bury(&message, &dead_letters).await?,
            }
        }
        if read > 0 {
            charge(&mut database, &payments)?;
            consumer.commit_consumer_state(CommitMode::Sync)?;
            println!("Committed batch of {read}.");
        }
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    Runtime::new()?.block_on(bill())
}
