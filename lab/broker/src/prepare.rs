//! Prepares Kafka to start within about a second in a plain JVM. This takes a formatted data folder that can be copied, and an
//! archive of the loaded classes.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use nix::sys::signal::Signal;

use crate::command::{last_lines, run};
use crate::jvm::Process;
use crate::keeper::{Folder, Lifetime};
use crate::ports::{Ports, on_free_ports};
use crate::prepared::{LOGGING, PROPERTIES, Prepared, SERVERS, TOOLS_LOGGING, properties_for};
use crate::version::in_class_path;
use crate::{Cache, Java, jars};

/// Gets the jars, the data folder and the archive. Makes them if they do not exist yet. The folder and the archive are made once
/// for each version of Kafka and each Java.
///
/// # Errors
/// If there is no way to get the jars, or if this Java cannot run this Kafka.
pub fn prepare(cache: &Cache, java: Java) -> Result<Prepared> {
    let class_path = jars::class_path(cache)?;
    let mut hasher = DefaultHasher::new();
    (&java.version, &java.path, &class_path).hash(&mut hasher);
    (PROPERTIES, LOGGING, TOOLS_LOGGING, SERVERS).hash(&mut hasher);
    let name = format!("prepared-{:016x}", hasher.finish());
    let version = in_class_path(&class_path).unwrap_or_default();
    let in_folder = |folder: &Path| Prepared {
        java: java.clone(),
        class_path: class_path.clone(),
        version: version.to_string(),
        folder: folder.to_path_buf(),
    };
    let is_whole = |folder: &Path| in_folder(folder).is_whole();
    let folder = cache.complete(&name, is_whole, |folder| {
        eprintln!("Kafka: preparing a data folder and an archive of its classes, so that it starts fast (only once) …");
        make(&in_folder(folder), cache)
    })?;
    Ok(in_folder(&folder))
}

/// Fills the folder of `prepared`.
fn make(prepared: &Prepared, cache: &Cache) -> Result<()> {
    fs::write(prepared.logging(), LOGGING)?;
    fs::write(prepared.servers(), SERVERS)?;
    fs::write(prepared.tools_logging(), TOOLS_LOGGING)?;
    format_data(prepared)?;
    archive_classes(prepared, cache)?;
    if !prepared.archive().exists() {
        eprintln!(
            "Kafka: {} makes no archive, so every start of Kafka takes a second or two longer",
            prepared.java.path.display()
        );
        fs::write(prepared.without_archive(), "")?;
    }
    Ok(())
}

/// Makes the formatted data folder.
fn format_data(prepared: &Prepared) -> Result<()> {
    let ports = Ports::free(None, None)?;
    let properties = prepared.folder.join("server.properties");
    fs::write(&properties, properties_for(ports, &prepared.template())?)?;
    let mut format = prepared.tool(&[], "kafka.tools.StorageTool");
    format
        .args(["format", "-t", "kafka-lab-template-00A", "-c"])
        .arg(&properties);
    let output = run(&mut format, Duration::from_secs(120))?;
    if !output.status.success() {
        bail!(
            "Kafka could not format its data folder. It printed last:\n{}",
            last_lines(&output.stderr, 4)
        );
    }
    Ok(())
}

/// Makes the archive. A JVM writes it when it ends, with the classes that it has loaded. So this starts a broker and stops it. Some
/// Java runtimes make none: those that jlink has made have no archive of Java's own classes, to which ours would be added.
fn archive_classes(prepared: &Prepared, cache: &Cache) -> Result<()> {
    let archive = prepared.make_archive();
    let (_, mut run) = on_free_ports(None, None, |ports| {
        let (folder, lifetime) = (Folder::Fresh, Lifetime::Owned);
        Process::start(prepared, cache, folder, ports, lifetime, &archive)
    })?;
    let archived = run
        .signal(Signal::SIGTERM)
        .and_then(|()| run.wait_for_exit(Duration::from_secs(120)));
    run.end();
    archived
}
