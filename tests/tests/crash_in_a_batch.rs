//! A second scenario for task 2: a consumer is killed after it has begun to process a batch and before it commits it.

use std::time::Duration;

use anyhow::Result;
use broker::wait;
use common::{ANALYTICS_SERVICE, CLICKSTREAM};

use cluster::offsets;
use judge::Stage;

/// Longer than the 5 s after which librdkafka commits on its own (`auto.commit.interval.ms`).
const AUTO_COMMIT: Duration = Duration::from_secs(6);

/// The longest wait until a consumer has its partitions, or its batch again. A dead member holds its partitions until
/// its session times out, after 10 s. A busy machine takes longer.
const RESTART_LIMIT: Duration = Duration::from_secs(40);

/// Stalls the consumer in the middle of its first batch, kills it there, and runs it again.
pub fn crash_in_a_batch(stage: &mut Stage) -> Result<()> {
    stage.publish(20)?;
    let mut stalled = stage.start_stalled("consumer")?;
    wait::until("the consumer to own all partitions", RESTART_LIMIT, || {
        let members = stage.kafka.members(ANALYTICS_SERVICE, CLICKSTREAM)?;
        let owned: usize = members.iter().map(|member| member.partitions.len()).sum();
        Ok((owned == 3).then_some(()))
    })?;
    wait::pass(AUTO_COMMIT)?;
    let committed = stage.kafka.committed(ANALYTICS_SERVICE, CLICKSTREAM)?;
    stalled.kill()?;
    stage.find(
        2,
        "nothing is committed before it is processed",
        committed.iter().flatten().sum::<i64>() == 0,
        format!(
            "in the middle of the first batch: committed offsets {}",
            offsets(&committed)
        ),
    );

    let mut again = stage.start("consumer")?;
    let repeated = again.wait_for("the repeated batch", RESTART_LIMIT, |lines| {
        let done = lines.iter().any(|line| line.text.contains("Committed"));
        done.then_some(())
    });
    stage.find(
        2,
        "a crash before the commit repeats the batch",
        repeated.is_ok(),
        match repeated {
            Ok(()) => "all 20 events were delivered again".to_string(),
            Err(error) => format!("{error:#}"),
        },
    );
    Ok(())
}
