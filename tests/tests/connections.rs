//! A connection that fails is opened again: by lab programs, and by the lab's own queries over Kafka's wire protocol.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cluster::Kafka;
use common::{
    ANALYTICS_SERVICE, BILLING_SERVICE, CLICKSTREAM, PAYMENTS, PURCHASE_EXTRACTOR, SCALE_GROUP,
};
use judge::programs::Version;
use judge::{Program, as_payloads, random_events, random_payments};
use libtest_mimic::Trial;

use crate::{POOL, programs, trial};

/// The programs that poll and commit, with their groups and topics.
const PROGRAMS: [(&str, &str, &str); 4] = [
    ("consumer", ANALYTICS_SERVICE, CLICKSTREAM),
    ("consumer_group_a", SCALE_GROUP, CLICKSTREAM),
    ("billing", BILLING_SERVICE, PAYMENTS),
    ("exactly_once", PURCHASE_EXTRACTOR, CLICKSTREAM),
];

/// How long a program may take to process 40 messages, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![trial(
        "connections::one_that_was_closed_is_opened_anew",
        closed_meanwhile,
    )];
    for (program, group, topic) in PROGRAMS {
        trials.push(trial(
            &format!("connections::a_program_goes_on_when_one_has_failed::{program}"),
            move || goes_on(program, group, topic),
        ));
    }
    trials
}

/// Nothing listens on the first addresses, as on `::1` if `localhost` stands for it. Later, all connections break.
fn goes_on(name: &str, group: &str, topic: &str) -> Result<()> {
    let bench = POOL.lend()?;
    // librdkafka tries the addresses in any order. With nine that fail, it almost certainly tries one of them first.
    let mut addresses: Vec<String> = (1..10).map(|port| format!("127.0.0.1:{port}")).collect();
    addresses.push(bench.gate.bootstrap());
    let executable = programs(Version::Solution)?.remove(name);
    let executable = executable.context("it was not built")?;
    let mut program = Program::start(name, &executable, &addresses.join(","))?;
    for published in [40, 80] {
        match topic {
            PAYMENTS => {
                let payments = as_payloads(&random_payments(40))?;
                bench.kafka.send(topic, None, &payments)?;
            }
            _ => bench.kafka.publish(topic, &random_events(published, 40))?,
        }
        let all_committed = program.until(LIMIT, || {
            let committed = bench.kafka.committed(group, topic)?;
            Ok(committed.iter().flatten().sum::<i64>() == i64::try_from(published)?)
        })?;
        ensure!(
            all_committed,
            "{published} messages were published. {}",
            program.last_lines()
        );
        bench.gate.clear();
    }
    let errors = program.errors();
    let has_failed = errors
        .iter()
        .any(|line| line.text.contains("No connection"));
    ensure!(has_failed, "no connection failed, so this proves nothing");
    Ok(())
}

/// The gate closes the connection, as a broker closes one that has been idle for ten minutes.
fn closed_meanwhile() -> Result<()> {
    let bench = POOL.lend()?;
    let kafka = Kafka::at(&bench.gate.bootstrap());
    for _ in 0..2 {
        let members = kafka.members(ANALYTICS_SERVICE, CLICKSTREAM)?;
        ensure!(members.is_empty(), "{members:?}");
        bench.gate.clear();
    }
    Ok(())
}
