//! What clients do by themselves after some time, which a check must outlast.

use std::time::Duration;

/// Longer than the 5 s after which a consumer commits by itself (`auto.commit.interval.ms` of librdkafka and of Java).
pub const AUTO_COMMIT: Duration = Duration::from_secs(6);
