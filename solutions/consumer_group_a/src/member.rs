//! Task 3: one member of a consumer group. It prints which partitions it receives, which partitions it loses, and
//! every message that it reads. `consumer_group_a` and `consumer_group_b` are this program under two names. This is how
//! a service is scaled: you start the same program once more.
//!
//! The task sheet is docs/task3-scaling.md.

use std::time::Duration;

use common::{
    CLICKSTREAM, Error, Event, SCALE_GROUP, Shutdown, bootstrap_servers, received, require_topic,
};
use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::message::Message;

/// Prints what each rebalance of the group means for this member.
struct PrintRebalance {
    name: &'static str,
}

impl ClientContext for PrintRebalance {}

impl ConsumerContext for PrintRebalance {
    /// Called inside `poll`, before the member receives or gives up partitions.
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let name = self.name;
        match rebalance {
            // SOLUTION(2): `{:?}` prints the partition numbers in brackets.
            Rebalance::Assign(list) => {
                let partitions: Vec<i32> = list.elements().iter().map(|p| p.partition()).collect();
                println!("{name}: assigned partitions {partitions:?}");
            }
            Rebalance::Revoke(list) => {
                let partitions: Vec<i32> = list.elements().iter().map(|p| p.partition()).collect();
                println!("{name}: revoked partitions {partitions:?}");
            }
            // END(2)
            Rebalance::Error(error) => eprintln!("{name}: rebalance failed: {error}"),
        }
    }
}

/// Reads messages as the member `name` until someone presses Ctrl-C.
pub fn run(name: &'static str) -> Result<(), Error> {
    require_topic(CLICKSTREAM)?;
    let shutdown = Shutdown::on_ctrl_c()?;
    let consumer: BaseConsumer<PrintRebalance> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers())
        .set("client.id", name)
        .set("group.id", SCALE_GROUP)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        // SOLUTION(1): the group considers a member dead after 10 s of silence. The default is 45 s.
        .set("session.timeout.ms", "10000")
        // END(1)
        .create_with_context(PrintRebalance { name })?;
    consumer.subscribe(&[CLICKSTREAM])?;

    while !shutdown.requested() {
        let Some(message) = received(consumer.poll(Duration::from_millis(500)))? else {
            continue;
        };
        let event = Event::from_message(&message)?;
        println!(
            "{name}: partition={} offset={} user={}",
            message.partition(),
            message.offset(),
            event.user_id
        );
        consumer.commit_message(&message, CommitMode::Sync)?;
    }
    Ok(())
}
