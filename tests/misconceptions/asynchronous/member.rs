//! Task 3 with a stream: one member of the group.

use std::time::Duration;

use common::{CLICKSTREAM, Error, SCALE_GROUP, Shutdown, bootstrap_servers};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance, StreamConsumer};
use rdkafka::{ClientContext, Message};
use tokio::runtime::Runtime;
use tokio::time::timeout;

struct Tell(&'static str);

impl ClientContext for Tell {}

impl ConsumerContext for Tell {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let numbers = |list: &rdkafka::TopicPartitionList| {
            let partitions = list.elements().iter().map(|p| p.partition()).collect::<Vec<_>>();
            format!("{partitions:?}")
        };
        match rebalance {
            Rebalance::Assign(list) => println!("{}: assigned {}", self.0, numbers(list)),
            Rebalance::Revoke(list) => println!("{}: revoked {}", self.0, numbers(list)),
            Rebalance::Error(error) => eprintln!("{error}"),
        }
    }
}

async fn consume(name: &'static str) -> Result<(), Error> {
    let shutdown = Shutdown::on_ctrl_c()?;
    let consumer: StreamConsumer<Tell> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers())
        .set("group.id", SCALE_GROUP)
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", "10000")
        .create_with_context(Tell(name))?;
    consumer.subscribe(&[CLICKSTREAM])?;
    while !shutdown.requested() {
        let Ok(message) = timeout(Duration::from_millis(500), consumer.recv()).await else {
            continue;
        };
        let message = message?;
        println!(
            "{name}: partition={} offset={}",
            message.partition(),
            message.offset()
        );
    }
    Ok(())
}

fn run(name: &'static str) -> Result<(), Error> {
    Runtime::new()?.block_on(consume(name))
}
