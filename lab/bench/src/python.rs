//! Whether the same programs can be measured in Python.

use std::process::Command;
use std::time::Duration;

/// The interpreter.
pub const PYTHON: &str = "python3";

/// How long Python may take to import a module.
const LIMIT: Duration = Duration::from_secs(30);

/// Whether this machine has a Python that can use Kafka as the slides do.
pub fn has_python() -> bool {
    let mut ask = Command::new(PYTHON);
    broker::run(ask.args(["-c", "import confluent_kafka"]), LIMIT)
        .is_ok_and(|output| output.status.success())
}
