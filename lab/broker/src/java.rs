//! Finds a Java that can run Kafka, and starts it in an environment that we know.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;

use crate::command::run;

/// Kafka 4 needs Java 17.
const OLDEST: u32 = 17;

/// The variables that our JVMs get from our own environment. Java may be a script that needs them.
///
/// They get no others, because others, such as `JAVA_TOOL_OPTIONS` or `CLASSPATH`, may be set for some other JVM. They could
/// choose another garbage collector or open the port of a debugger, and then Kafka would not start.
const INHERITED: [&str; 5] = ["PATH", "HOME", "TMPDIR", "JAVA_HOME", "LD_LIBRARY_PATH"];

/// A Java runtime, 17 or later.
#[derive(Clone, Debug)]
pub struct Java {
    /// The `java` executable.
    pub path: PathBuf,
    /// The line of `java -version` with the version.
    pub version: String,
    /// The first number of the version: 17.
    pub major: u32,
}

/// The Java that was found last. A process that starts many brokers asks for its version only once.
static FOUND: Mutex<Option<Java>> = Mutex::new(None);

impl Java {
    /// The Java in `JAVA_HOME`, or the one on the `PATH` if `JAVA_HOME` is not set.
    ///
    /// # Errors
    /// If there is no Java, or it is older than 17. The message says what to do.
    pub fn find() -> Result<Self> {
        let path = match std::env::var_os("JAVA_HOME") {
            Some(home) if !home.is_empty() => PathBuf::from(home).join("bin/java"),
            _ => PathBuf::from("java"),
        };
        let mut found = FOUND.lock();
        if let Some(java) = found.as_ref().filter(|java| java.path == path) {
            return Ok(java.clone());
        }
        let java = Self::at(path)?;
        *found = Some(java.clone());
        Ok(java)
    }

    /// The command `java`.
    pub fn command(&self) -> Command {
        command(&self.path)
    }

    /// The same command in words, for a shell.
    pub fn words(&self) -> Vec<OsString> {
        let mut words = vec!["env".into(), "-i".into()];
        for (name, value) in environment() {
            let mut word = OsString::from(name);
            word.push("=");
            word.push(value);
            words.push(word);
        }
        words.push(self.path.clone().into());
        words
    }

    fn at(path: PathBuf) -> Result<Self> {
        let output = run(command(&path).arg("-version"), Duration::from_secs(60)).with_context(
            || "Java was not found: install Java 17 or later (Debian: openjdk-17-jre-headless)",
        )?;
        let text = String::from_utf8_lossy(&output.stderr);
        match version(&text) {
            Some((major, version)) if major >= OLDEST => Ok(Self {
                path,
                version: version.to_string(),
                major,
            }),
            _ => bail!(
                "Kafka needs Java {OLDEST} or later: install it (Debian: openjdk-17-jre-headless). `{} -version` says: {}",
                path.display(),
                text.trim()
            ),
        }
    }
}

fn command(java: &Path) -> Command {
    let mut command = Command::new(java);
    command.env_clear().envs(environment());
    command
}

/// The environment of our JVMs.
fn environment() -> Vec<(&'static str, OsString)> {
    let mut environment = vec![("LANG", "C.UTF-8".into())];
    for name in INHERITED {
        environment.extend(std::env::var_os(name).map(|value| (name, value)));
    }
    environment
}

/// Finds the version in the output of `java -version`. Returns its major number and the line that it is in, such as
/// `openjdk version "17.0.15" 2025-04-15`. Other lines may come first, such as warnings.
fn version(text: &str) -> Option<(u32, &str)> {
    text.lines().find_map(|line| {
        let quoted = line.split_once(" version \"")?.1;
        let digits = quoted.split(['.', '-', '+', '"']).next()?;
        Some((digits.parse().ok()?, line.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn reads_the_major_version() {
        let major = |text| version(text).map(|(major, _)| major);
        assert_eq!(major(r#"openjdk version "17.0.15" 2025-04-15"#), Some(17));
        assert_eq!(major(r#"openjdk version "25" 2025-09-16"#), Some(25));
        assert_eq!(major(r#"openjdk version "26-ea" 2026-03-17"#), Some(26));
        assert_eq!(major(r#"java version "1.8.0_402""#), Some(1));
        assert_eq!(major("command not found"), None);
        let warned = "warning: \"x\" is old\nopenjdk version \"21.0.1\" 2023-10-17\n";
        assert_eq!(major(warned), Some(21));
    }
}
