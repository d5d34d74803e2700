//! `cargo lab doctor`: the slides' environment check, with the mend for each miss.

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use broker::shared::SharedKafka;
use broker::{Cache, Docker, Java, Way};
use cluster::Kafka;
use common::{CLICKSTREAM, TOPICS};

use crate::kafka;

const LIMIT: Duration = Duration::from_secs(20);

/// Looks at everything; the exit status is 1 where something is missing that the lab needs.
pub fn doctor() -> Result<ExitCode> {
    let mut healthy = true;
    let mut report = |needed: bool, what: &str, seen: Result<String>| match seen {
        Ok(seen) => println!("✓ {what}: {seen}"),
        Err(miss) if needed => {
            healthy = false;
            println!("✗ {what}: {miss:#}");
        }
        Err(miss) => println!("- {what}: {miss:#}"),
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
            "install it (Debian: maven); only a Kafka without Docker needs it",
        ),
    );
    let way = Way::for_lab();
    // With a cluster of one's own one can do all but let programs be judged.
    let is_yours = matches!(way, Ok(Way::Yours(_)));
    report(
        true,
        "a way to a real Kafka",
        way.map(|way| way.to_string()),
    );
    report(
        !is_yours,
        "a Kafka that programs are judged on",
        Way::for_private().map(|way| way.to_string()),
    );

    match SharedKafka::find() {
        Ok(Some(lab)) => {
            let kafka = Kafka::at(&lab.bootstrap);
            report(
                true,
                "Kafka",
                kafka.partitions(CLICKSTREAM).map(|_| lab.to_string()),
            );
            for (name, partitions) in TOPICS {
                let what = format!("topic {name}");
                report(true, &what, topic(&kafka, name, *partitions));
            }
        }
        Ok(None) => report(
            false,
            "Kafka",
            Ok("none runs yet; `cargo lab up` starts it".to_string()),
        ),
        Err(error) => report(true, "Kafka", Err(error)),
    }
    Ok(if healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The first line that `program --version` prints.
fn version(program: &str, mend: &str) -> Result<String> {
    // Maven colours its words even for a pipe.
    let flags: &[&str] = if program == "mvn" {
        &["-Dstyle.color=never"]
    } else {
        &[]
    };
    let output = broker::run(Command::new(program).args(flags).arg("--version"), LIMIT);
    let output = output.with_context(|| mend.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text
        .lines()
        .next()
        .unwrap_or_default()
        .replace("\u{1b}[0m", "");
    if !output.status.success() || line.is_empty() {
        bail!("`{program} --version` fails; {mend}");
    }
    Ok(line)
}

fn topic(kafka: &Kafka, name: &str, partitions: i32) -> Result<String> {
    match kafka.partitions(name)? {
        Some(found) if found == partitions => Ok(kafka::partitions(found)),
        Some(found) => bail!(
            "{found} instead of {}; `cargo lab reset` makes it anew",
            kafka::partitions(partitions)
        ),
        None => bail!("missing; `cargo lab up` creates it"),
    }
}
