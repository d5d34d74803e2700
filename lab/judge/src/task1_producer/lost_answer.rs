//! Task 1, a scene of the demo: the broker's answer to a producer is lost, so the producer sends its event again.

use std::time::Duration;

use anyhow::{Result, ensure};
use common::{CLICKSTREAM, Event};
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::Stage;
use crate::bench::gate::RequestKind;
use crate::bench::pool::{Bench, Pool};
use crate::random_events;

/// How long the event may take to be acknowledged.
const LIMIT: Duration = Duration::from_secs(30);

/// Shows what a lost answer leads to, without and with `enable.idempotence`. It needs a Kafka with a gate, so it starts one.
///
/// # Errors
/// When Kafka does not answer.
pub fn run(stage: &mut Stage) -> Result<()> {
    stage.say(
        "\nWhat if the broker writes an event, and its answer is lost on the way? This needs another Kafka, behind a gate that \
         loses an answer. There, one producer sends an event without `enable.idempotence`, and another one sends one with it.",
    );
    let pool = Pool::default();
    let bench = match pool.lend() {
        Ok(bench) => bench,
        Err(error) => {
            stage.say(format!(
                "This scene is left out, because no other Kafka could be started: {error:#}"
            ));
            return Ok(());
        }
    };
    let [without, with] = [false, true].map(|idempotent| copies(&bench, idempotent));
    let (without, with) = (without?, with?);
    stage.say(format!(
        "  records of the event without enable.idempotence: {without}\n  \
           records of the event with enable.idempotence:    {with}\n\
         A producer without an answer cannot know whether its event was written, so it sends it again (`retries`). With \
         idempotence, each record has a number, and the broker does not write a number twice.",
    ));
    stage.find(
        1,
        "after a lost answer, the producer sends its event again: it is there twice, but with idempotence once",
        (without, with) == (2, 1),
        format!("records without idempotence: {without}; with idempotence: {with}"),
    );
    Ok(())
}

/// Sends one event through the gate, which loses the first answer. Returns how many times the event is in the topic.
fn copies(bench: &Bench, idempotent: bool) -> Result<usize> {
    let event: Event = random_events(u64::from(idempotent), 1).remove(0);
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bench.gate.bootstrap())
        .set("client.id", "producer")
        .set("acks", "all")
        .set("enable.idempotence", idempotent.to_string())
        .create()?;
    bench.gate.lose(RequestKind::Produce, 0);
    let value = serde_json::to_string(&event)?;
    let record = BaseRecord::to(CLICKSTREAM)
        .key(&event.user_id)
        .payload(&value);
    producer.send(record).map_err(|(error, _)| error)?;
    producer.flush(LIMIT)?;
    ensure!(bench.gate.has_held(), "the gate lost no answer");
    bench.gate.release();
    let records = bench.kafka.records(CLICKSTREAM)?;
    Ok(records
        .iter()
        .filter(|record| record.value() == value)
        .count())
}
