//! Which Kafka the lab starts: a version of the official image, and of the jars.

use std::sync::LazyLock;

use anyhow::{Context, Result, bail};

/// The version that the lab starts if nobody asks for another one.
pub const DEFAULT: &str = "4.4.0";

/// The environment variable that asks for another version.
const VARIABLE: &str = "KAFKA_LAB_VERSION";

/// The oldest version that the lab can use: major and minor.
const OLDEST: (u32, u32) = (4, 0);

/// The version of Kafka that the lab starts: that in `KAFKA_LAB_VERSION`, or else [`DEFAULT`].
pub fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let wanted = std::env::var(VARIABLE).unwrap_or_default();
        match wanted.trim() {
            "" => DEFAULT.to_string(),
            wanted => wanted.to_string(),
        }
    });
    &VERSION
}

/// The official image of this Kafka.
pub fn image() -> &'static str {
    static IMAGE: LazyLock<String> = LazyLock::new(|| format!("apache/kafka:{}", version()));
    &IMAGE
}

/// Checks that the lab can use the version that was asked for.
///
/// # Errors
/// If it is too old, or no version. The message says what to do.
pub fn check() -> Result<()> {
    is_new_enough(version()).with_context(|| format!("{VARIABLE} is `{}`", version()))
}

/// Checks that the lab can use this version.
///
/// # Errors
/// If it is too old, or no version. The message says what to do.
pub fn is_new_enough(version: &str) -> Result<()> {
    let Some(number) = number(version) else {
        bail!(
            "`{version}` is no version of Kafka. The lab starts {DEFAULT} if {VARIABLE} is not set"
        );
    };
    if number < OLDEST {
        bail!(
            "Kafka {version} is too old for the lab, which needs the group protocol of KIP-848 and a broker that logs with \
             log4j2. Use Kafka {}.{} or later; the lab starts {DEFAULT} if neither {VARIABLE} nor KAFKA_HOME is set",
            OLDEST.0,
            OLDEST.1
        );
    }
    Ok(())
}

/// Major and minor version: `(4, 4)` of `4.4.0`.
pub fn number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    let mut next = || parts.next()?.parse().ok();
    Some((next()?, next()?))
}

/// The version in the name of Kafka's main jar, `kafka_2.13-4.4.0.jar`, somewhere in a class path or a command line.
pub fn in_class_path(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("kafka_2.13-")?;
    rest.split_once(".jar").map(|(version, _)| version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_kafka_is_refused() {
        for (version, is_right) in [
            ("4.0.0", true),
            ("4.4.1", true),
            ("5.0", true),
            ("3.9.1", false),
            ("latest", false),
        ] {
            assert_eq!(is_new_enough(version).is_ok(), is_right, "{version}");
        }
        let said = is_new_enough("3.9.1").err().map(|error| error.to_string());
        assert!(
            said.is_some_and(
                |said| said.contains("3.9.1 is too old") && said.contains("4.0 or later")
            )
        );
    }

    #[test]
    fn the_main_jar_names_the_version() {
        let class_path = "libs/kafka-clients-4.4.1.jar:libs/kafka_2.13-4.4.0.jar:libs/zstd.jar";
        assert_eq!(in_class_path(class_path), Some("4.4.0"));
        assert_eq!(in_class_path("libs/kafka-clients-4.4.0.jar"), None);
    }
}
