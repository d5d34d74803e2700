//! Queries over Kafka's wire protocol get an answer even if the cluster has closed the connection in the meantime.

use anyhow::{Result, ensure};
use cluster::Kafka;
use common::{ANALYTICS_SERVICE, CLICKSTREAM};
use libtest_mimic::Trial;

use crate::{POOL, trial};

pub fn trials() -> Vec<Trial> {
    vec![trial(
        "connections::one_that_was_closed_is_opened_anew",
        closed_meanwhile,
    )]
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
