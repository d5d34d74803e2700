//! The names that programs, checks and slides agree on.

/// The topic of clickstream events, keyed by `user_id`.
pub const CLICKSTREAM: &str = "clickstream";

/// The topic of payments, keyed by `user_id`.
pub const PAYMENTS: &str = "payments";

/// The dead letter topic of `payments`. Messages that are not payments go here, because no retry can change that.
pub const PAYMENTS_DLQ: &str = "payments.dlq";

/// The topic of the clickstream's purchases, written in transactions.
pub const PURCHASES: &str = "purchases";

/// Every topic of the lab, and how many partitions it has. One partition is enough for dead letters: they are few, and
/// people read them.
pub const TOPICS: &[(&str, i32)] = &[
    (CLICKSTREAM, 3),
    (PAYMENTS, 3),
    (PAYMENTS_DLQ, 1),
    (PURCHASES, 3),
];

/// The consumer group of task 2.
pub const ANALYTICS_SERVICE: &str = "analytics-service";

/// The consumer group of task 3.
pub const SCALE_GROUP: &str = "scale-group";

/// The consumer group of task 4.
pub const CRASH_DEMO_GROUP: &str = "crash-demo-group";

/// The consumer group of task 5.
pub const BILLING_SERVICE: &str = "billing-service";

/// The consumer group of task 6.
pub const PURCHASE_EXTRACTOR: &str = "purchase-extractor";

/// Every consumer group of the lab, and the topic that it reads.
pub const GROUPS: &[(&str, &str)] = &[
    (ANALYTICS_SERVICE, CLICKSTREAM),
    (SCALE_GROUP, CLICKSTREAM),
    (CRASH_DEMO_GROUP, CLICKSTREAM),
    (BILLING_SERVICE, PAYMENTS),
    (PURCHASE_EXTRACTOR, CLICKSTREAM),
];
