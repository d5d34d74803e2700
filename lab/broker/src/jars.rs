//! Kafka's jars: those of `KAFKA_HOME`, or those that Maven resolves, kept in the cache.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::command::run;
use crate::wait::Interrupted;
use crate::{Cache, KAFKA_VERSION};

/// The list of the jars and their sizes that stands beside them once all have arrived.
const MANIFEST: &str = "manifest.json";

/// Maven downloads 54 MB; on a slow line that takes its time.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(15 * 60);

/// The class path of Kafka and its tools.
///
/// # Errors
/// When `KAFKA_HOME` holds no Kafka, or Maven is missing or fails; the message says what to do.
pub fn class_path(cache: &Cache) -> Result<String> {
    let folder = match kafka_home() {
        Some(home) => home.join("libs"),
        None => cache.complete(&format!("jars-{KAFKA_VERSION}"), is_whole, download)?,
    };
    let mut jars: Vec<PathBuf> = list(&folder)
        .unwrap_or_default()
        .into_keys()
        .map(|name| folder.join(name))
        .collect();
    jars.sort();
    if !jars.iter().any(|jar| is_kafka(jar)) {
        bail!(
            "{} holds no Kafka. KAFKA_HOME must name an unpacked Kafka distribution, or be unset",
            folder.display()
        );
    }
    Ok(std::env::join_paths(jars)?.to_string_lossy().into_owned())
}

/// Is there any way to get jars, without trying it?
///
/// # Errors
/// When there is none: no `KAFKA_HOME`, nothing cached, and no Maven.
pub fn available(cache: &Cache) -> Result<()> {
    if kafka_home().is_some() || cache.has(&format!("jars-{KAFKA_VERSION}"), is_whole) {
        return Ok(());
    }
    let maven = run(Command::new("mvn").arg("-v"), Duration::from_secs(60));
    if !maven.is_ok_and(|output| output.status.success()) {
        bail!(
            "no Maven to get Kafka's jars with: install it (Debian: maven), \
             or name an unpacked Kafka in KAFKA_HOME"
        );
    }
    Ok(())
}

fn kafka_home() -> Option<PathBuf> {
    std::env::var_os("KAFKA_HOME")
        .filter(|home| !home.is_empty())
        .map(PathBuf::from)
}

fn is_kafka(jar: &Path) -> bool {
    jar.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("kafka_2.13-"))
}

/// The jars of a folder with their sizes in bytes.
fn list(folder: &Path) -> Result<BTreeMap<String, u64>> {
    let mut jars = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".jar") {
            jars.insert(name, entry.metadata()?.len());
        }
    }
    Ok(jars)
}

/// Are all jars there, in the size that they arrived in?
fn is_whole(folder: &Path) -> bool {
    let expected = fs::read(folder.join(MANIFEST))
        .ok()
        .and_then(|text| serde_json::from_slice::<BTreeMap<String, u64>>(&text).ok());
    expected.is_some() && list(folder).ok() == expected
}

/// What Maven says first of what went wrong; the rest is about Maven.
fn first_error(text: &str) -> &str {
    text.lines()
        .find(|line| line.contains("ERROR"))
        .unwrap_or("nothing")
}

/// Has Maven resolve and check the jars, then writes down what came.
fn download(folder: &Path) -> Result<()> {
    eprintln!("Kafka {KAFKA_VERSION}: fetching its jars with Maven (54 MB, once) …");
    let pom = folder.join("pom.xml");
    fs::write(&pom, include_str!("../kafka/pom.xml"))?;
    let mut maven = Command::new("mvn");
    maven
        .current_dir(folder)
        // -C: a download whose checksum is wrong is an error.
        .args([
            "-q",
            "-B",
            "-C",
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
        ])
        .arg(format!("-DoutputDirectory={}", folder.display()));
    let output = match run(&mut maven, DOWNLOAD_LIMIT) {
        Err(error) if !error.is::<Interrupted>() => bail!(
            "no Maven to get Kafka's jars with ({error:#}): install it (Debian: maven), \
             or name an unpacked Kafka in KAFKA_HOME"
        ),
        other => other?,
    };
    if !output.status.success() {
        bail!(
            "Maven could not fetch Kafka's jars. Check the network (and the proxy in ~/.m2/settings.xml) and try again; \
             or name an unpacked Kafka in KAFKA_HOME. Maven said:\n{}",
            first_error(&String::from_utf8_lossy(&output.stdout))
        );
    }
    let manifest = serde_json::to_vec(&list(folder)?)?;
    fs::write(folder.join(MANIFEST), manifest)?;
    Ok(())
}
