//! Kafka's jars. They are in `KAFKA_HOME`, or Maven downloads them into the cache.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::Cache;
use crate::command::run;
use crate::version::{in_class_path, is_new_enough, version};
use crate::wait::Interrupted;

/// A file beside the jars, with the name and the size of each. It is written when all of them have been downloaded.
const MANIFEST: &str = "manifest.json";

/// What to do if Maven cannot be used.
const HOW_TO_GET_JARS: &str = "Install Maven (Debian: maven), or set KAFKA_HOME to the folder of an unpacked Kafka distribution";

/// Variables that change what Maven does. It gets them, unlike our own JVMs, because they may say how to reach the network.
const OBEYED_BY_MAVEN: [&str; 5] = [
    "MAVEN_OPTS",
    "MAVEN_ARGS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
];

/// How long Maven may take to download the jars, which have 54 MB, over a slow connection.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(15 * 60);

/// The class path of Kafka and its tools. Downloads the jars if necessary.
///
/// # Errors
/// If there is no Kafka in `KAFKA_HOME`, or if Maven is missing or fails. The message says what to do.
pub fn class_path(cache: &Cache) -> Result<String> {
    let folder = match kafka_home() {
        Some(home) => home.join("libs"),
        None => cache.complete(&cached(), is_whole, download)?,
    };
    let mut jars: Vec<PathBuf> = list(&folder)
        .unwrap_or_default()
        .into_keys()
        .map(|name| folder.join(name))
        .collect();
    jars.sort();
    let class_path = std::env::join_paths(jars).with_context(|| {
        format!(
            "Java cannot find jars in {}, because of the colon in its name. Set KAFKA_LAB_CACHE, or KAFKA_HOME if that is where \
             they are, to another folder",
            folder.display()
        )
    })?;
    let class_path = class_path.to_string_lossy().into_owned();
    let Some(version) = in_class_path(&class_path) else {
        bail!(
            "there is no Kafka in {}. Set KAFKA_HOME to the folder of an unpacked Kafka distribution, or unset it",
            folder.display()
        );
    };
    is_new_enough(version).with_context(|| format!("in {}", folder.display()))?;
    Ok(class_path)
}

/// The name of the folder with the downloaded jars, in the cache.
fn cached() -> String {
    format!("jars-{}", version())
}

/// Checks whether there is a way to get the jars. Does not download them.
///
/// # Errors
/// If `KAFKA_HOME` is not set, the cache has no jars, and there is no Maven. The message says what to do.
pub fn available(cache: &Cache) -> Result<()> {
    if kafka_home().is_some() || cache.has(&cached(), is_whole) {
        return Ok(());
    }
    let maven = run(Command::new("mvn").arg("-v"), Duration::from_secs(60));
    if !maven.is_ok_and(|output| output.status.success()) {
        bail!(
            "Maven is needed to download Kafka's jars, but it does not run. {HOW_TO_GET_JARS}{}",
            obeyed()
        );
    }
    Ok(())
}

fn kafka_home() -> Option<PathBuf> {
    std::env::var_os("KAFKA_HOME")
        .filter(|home| !home.is_empty())
        .map(PathBuf::from)
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

/// Whether all jars are there, and each still has the size that it had when it was downloaded.
fn is_whole(folder: &Path) -> bool {
    let expected = fs::read(folder.join(MANIFEST))
        .ok()
        .and_then(|text| serde_json::from_slice::<BTreeMap<String, u64>>(&text).ok());
    expected.is_some() && list(folder).ok() == expected
}

/// What else to try if Maven fails: without the variables that it obeys, if any of them is set.
fn obeyed() -> String {
    let is_set = |name: &&str| std::env::var_os(name).is_some();
    let set: Vec<&str> = OBEYED_BY_MAVEN.into_iter().filter(is_set).collect();
    match set.as_slice() {
        [] => String::new(),
        _ => format!(
            ". These variables are set, and Maven obeys them: {}. Try again without them",
            set.join(", ")
        ),
    }
}

/// The first error that Maven printed. What follows is only about Maven itself.
fn first_error(text: &str) -> &str {
    text.lines()
        .find(|line| line.contains("ERROR"))
        .unwrap_or("no error")
}

/// Downloads the jars with Maven, which checks them. Then writes the list of their names and sizes.
fn download(folder: &Path) -> Result<()> {
    let version = version();
    eprintln!("Kafka {version}: downloading its jars with Maven (54 MB, only once) …");
    let pom = folder.join("pom.xml");
    fs::write(&pom, include_str!("../kafka/pom.xml"))?;
    let mut maven = Command::new("mvn");
    maven
        .current_dir(folder)
        // -C makes a wrong checksum an error.
        .args([
            "-q",
            "-B",
            "-C",
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
        ])
        .arg(format!("-Dkafka.version={version}"))
        .arg(format!("-DoutputDirectory={}", folder.display()));
    let output = match run(&mut maven, DOWNLOAD_LIMIT) {
        Err(error) if !error.is::<Interrupted>() => bail!(
            "Maven is needed to download Kafka's jars, but it failed ({error:#}). {HOW_TO_GET_JARS}"
        ),
        other => other?,
    };
    if !output.status.success() {
        bail!(
            "Maven could not download the jars of Kafka {version}. Check your network connection (and the proxy in ~/.m2/settings.xml) and \
             try again. Or set KAFKA_HOME to the folder of an unpacked Kafka distribution{}. Maven printed:\n{}",
            obeyed(),
            first_error(&String::from_utf8_lossy(&output.stdout))
        );
    }
    let manifest = serde_json::to_vec(&list(folder)?)?;
    fs::write(folder.join(MANIFEST), manifest)?;
    Ok(())
}
