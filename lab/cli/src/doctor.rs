//! `cargo lab doctor`: checks what the lab needs, and says how to install what is missing.

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use broker::shared::SharedKafka;
use broker::{Cache, Docker, Java, Way};
use cluster::Kafka;
use common::{CLICKSTREAM, TOPICS};

use crate::kafka;

/// How long a program may take to print its version.
const LIMIT: Duration = Duration::from_secs(20);

/// Prints a line for each thing that is checked. The exit status is 1 if something is missing that the lab needs.
pub fn doctor() -> Result<ExitCode> {
    let mut healthy = true;
    let mut report = |needed: bool, what: &str, found: Result<String>| match found {
        Ok(found) => println!("✓ {what}: {found}"),
        Err(problem) if needed => {
            healthy = false;
            println!("✗ {what}: {problem:#}");
        }
        Err(problem) => println!("- {what}: {problem:#}"),
    };

    report(
        true,
        "Rust",
        version("cargo", "install Rust 1.95 or later with rustup"),
    );
    let compiler =
        "install a C compiler and make (Debian: build-essential; macOS: xcode-select --install)";
    report(true, "C compiler", version("cc", compiler));
    report(true, "C++ compiler", version("c++", compiler));
    report(true, "make", version("make", compiler));
    report(
        true,
        "cache",
        Cache::open().map(|cache| cache.run().display().to_string()),
    );
    report(false, "Docker", Docker::find().map(|docker| docker.host));
    report(false, "Java", Java::find().map(|java| java.version));
    report(
        false,
        "Maven",
        version(
            "mvn",
            "install Maven (Debian: maven) if you want to run Kafka without Docker",
        ),
    );
    let way = Way::for_shared();
    // On a cluster of the user's own, everything works except the checks.
    let is_yours = matches!(way, Ok(Way::Yours(_)));
    report(
        true,
        "Kafka for your programs",
        way.map(|way| way.to_string()),
    );
    report(
        !is_yours,
        "Kafka for the checks",
        Way::for_private().map(|way| way.to_string()),
    );

    match SharedKafka::find() {
        Ok(Some(shared)) => {
            let kafka = Kafka::at(&shared.bootstrap);
            report(
                true,
                "running Kafka",
                kafka.partitions(CLICKSTREAM).map(|_| shared.to_string()),
            );
            for (name, partitions) in TOPICS {
                let what = format!("topic {name}");
                report(true, &what, topic(&kafka, name, *partitions));
            }
        }
        Ok(None) => report(
            false,
            "running Kafka",
            Ok("none; `cargo lab up` starts it".to_string()),
        ),
        Err(error) => report(true, "running Kafka", Err(error)),
    }
    Ok(if healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The first line that `program --version` prints. `install` says how to install the program.
///
/// # Errors
/// When the program is not installed or does not work; the error says `install`.
fn version(program: &str, install: &str) -> Result<String> {
    // Maven prints colors even to a pipe.
    let flags: &[&str] = if program == "mvn" {
        &["-Dstyle.color=never"]
    } else {
        &[]
    };
    let output = broker::run(Command::new(program).args(flags).arg("--version"), LIMIT);
    let output = output.with_context(|| install.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text
        .lines()
        .next()
        .unwrap_or_default()
        .replace("\u{1b}[0m", "");
    if !output.status.success() || line.is_empty() {
        bail!("`{program} --version` fails: {install}");
    }
    Ok(line)
}

/// The number of partitions of a topic, in words.
///
/// # Errors
/// When the topic does not exist or has another number of partitions.
fn topic(kafka: &Kafka, name: &str, partitions: i32) -> Result<String> {
    match kafka.partitions(name)? {
        Some(found) if found == partitions => Ok(kafka::partitions(found)),
        Some(found) => bail!(
            "it has {}, but the lab needs {partitions}. `cargo lab reset` deletes it and creates it again",
            kafka::partitions(found)
        ),
        None => bail!("it does not exist. `cargo lab up` creates it"),
    }
}
