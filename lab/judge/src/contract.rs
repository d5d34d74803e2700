//! The numbers of the contract (`docs/contract.md`). Waits and messages both take them from here.

use std::time::Duration;

/// How many events make a batch of `consumer`.
pub const BATCH: u64 = 20;

/// How long a program may take to end after Ctrl-C.
pub const STOP_LIMIT: Duration = Duration::from_secs(5);

/// The session timeout that the members of `scale-group` ask for.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(10);

/// How long it may take after a restart of `exactly_once` until readers with `read_committed` see every purchase.
pub const RECOVERY_LIMIT: Duration = Duration::from_secs(10);

/// How long `producer` may take to end. Other programs that have something to do may take as long to show it.
pub const WORK_LIMIT: Duration = Duration::from_secs(20);
