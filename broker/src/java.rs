//! A Java that can run Kafka.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::command::run;

/// Kafka 4 needs Java 17.
const OLDEST: u32 = 17;

/// A Java runtime, 17 or later.
#[derive(Clone, Debug)]
pub struct Java {
    /// The `java` executable.
    pub path: PathBuf,
    /// The first line of `java -version`.
    pub version: String,
}

impl Java {
    /// `JAVA_HOME`'s Java, or the one on the `PATH`.
    ///
    /// # Errors
    /// When there is none, or it is older than 17; the message says how to get one.
    pub fn find() -> Result<Self> {
        let path = match std::env::var_os("JAVA_HOME") {
            Some(home) if !home.is_empty() => PathBuf::from(home).join("bin/java"),
            _ => PathBuf::from("java"),
        };
        let output = run(Command::new(&path).arg("-version"), Duration::from_secs(10))
            .with_context(
                || "no Java: install Java 17 or later (Debian: openjdk-17-jre-headless)",
            )?;
        let text = String::from_utf8_lossy(&output.stderr);
        let version = text.lines().next().unwrap_or_default().trim().to_string();
        match major(&version) {
            Some(major) if major >= OLDEST => Ok(Self { path, version }),
            _ => bail!(
                "Java {OLDEST} or later is needed; `{} -version` says: {version}",
                path.display()
            ),
        }
    }
}

/// The major number in a line such as `openjdk version "17.0.15" 2025-04-15`.
fn major(line: &str) -> Option<u32> {
    let quoted = line.split('"').nth(1)?;
    let digits = quoted.split(['.', '-', '+']).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn reads_the_major_version() {
        assert_eq!(major(r#"openjdk version "17.0.15" 2025-04-15"#), Some(17));
        assert_eq!(major(r#"openjdk version "25" 2025-09-16"#), Some(25));
        assert_eq!(major(r#"openjdk version "26-ea" 2026-03-17"#), Some(26));
        assert_eq!(major(r#"java version "1.8.0_402""#), Some(1));
        assert_eq!(major("command not found"), None);
    }
}
