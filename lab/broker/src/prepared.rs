//! What makes a plain JVM's Kafka start in a second: a formatted data folder to copy, and an archive of the loaded
//! classes (AppCDS). Both are made once for each Kafka and each Java.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use nix::sys::signal::Signal;

use crate::command::{last_lines, run};
use crate::jvm::Process;
use crate::keeper::{Folder, Lifetime};
use crate::ports::{PRIVATE, Ports, free_port};
use crate::{Cache, Java, jars};

/// A Kafka that is ready to be started.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub java: Java,
    pub class_path: String,
    folder: PathBuf,
}

impl Prepared {
    /// Gets the jars and makes the template and the archive, where they are not there yet.
    ///
    /// # Errors
    /// When the jars cannot be had, or this Java cannot run this Kafka.
    pub fn get(cache: &Cache, java: Java) -> Result<Self> {
        let class_path = jars::class_path(cache)?;
        let mut hasher = DefaultHasher::new();
        (&java.version, &java.path, &class_path).hash(&mut hasher);
        (PROPERTIES, LOGGING, TOOLS_LOGGING).hash(&mut hasher);
        let name = format!("prepared-{:016x}", hasher.finish());
        let whole = |folder: &Path| folder.join("classes.jsa").exists();
        let folder = cache.complete(&name, whole, |folder| {
            eprintln!("Kafka: formatting a data folder and archiving its classes, so that it starts fast (once) …");
            let unfinished = Self {
                java: java.clone(),
                class_path: class_path.clone(),
                folder: folder.to_path_buf(),
            };
            unfinished.make(cache)
        })?;
        Ok(Self {
            java,
            class_path,
            folder,
        })
    }

    /// The formatted data folder. A copy of it is as good as one formatted anew.
    pub fn template(&self) -> PathBuf {
        self.folder.join("template")
    }

    /// The JVM option that makes use of the class archive. A JVM that cannot use it goes on without.
    pub fn use_archive(&self) -> String {
        format!("-XX:SharedArchiveFile={}", self.archive().display())
    }

    fn archive(&self) -> PathBuf {
        self.folder.join("classes.jsa")
    }

    /// The broker's log4j2 configuration.
    pub fn logging(&self) -> PathBuf {
        self.folder.join("log4j2.yaml")
    }

    /// The log4j2 configuration of the command-line tools.
    pub fn tools_logging(&self) -> PathBuf {
        self.folder.join("tools-log4j2.yaml")
    }

    fn make(&self, cache: &Cache) -> Result<()> {
        fs::write(self.logging(), LOGGING)?;
        fs::write(self.tools_logging(), TOOLS_LOGGING)?;
        let properties = self.folder.join("server.properties");
        fs::write(
            &properties,
            properties_for(Ports::free(None)?, free_port(PRIVATE)?, &self.template()),
        )?;
        let mut format = Command::new(&self.java.path);
        format
            .arg(define("log4j2.configurationFile", &self.tools_logging()))
            .args(["-cp", &self.class_path, "kafka.tools.StorageTool", "format"])
            .args(["-t", "kafka-lab-template-00A", "-c"])
            .arg(&properties);
        let output = run(&mut format, Duration::from_secs(120))?;
        if !output.status.success() {
            bail!(
                "Kafka's data folder could not be formatted:\n{}",
                last_lines(&output.stderr, 4)
            );
        }
        // One run for the archive: it holds the classes that this run loaded.
        let archive = format!("-XX:ArchiveClassesAtExit={}", self.archive().display());
        let mut run = Process::start(
            self,
            cache,
            Folder::Fresh,
            Ports::free(None)?,
            Lifetime::Owned,
            &archive,
        )?;
        let archived = run
            .signal(Signal::SIGTERM)
            .and_then(|()| run.wait_for_exit(Duration::from_secs(60)));
        run.end();
        archived
    }
}

const PROPERTIES: &str = include_str!("../kafka/server.properties");
const LOGGING: &str = include_str!("../kafka/log4j2.yaml");
const TOOLS_LOGGING: &str = include_str!("../kafka/tools-log4j2.yaml");

/// The broker's configuration: on loopback only.
pub fn properties_for(ports: Ports, controller_port: u16, data: &Path) -> String {
    format!(
        "{PROPERTIES}\
         listeners={},CONTROLLER://127.0.0.1:{controller_port}\n\
         advertised.listeners={}\n\
         controller.quorum.voters=1@127.0.0.1:{controller_port}\n\
         log.dirs={}\n",
        ports.listeners("127.0.0.1"),
        ports.advertised(),
        data.display()
    )
}

/// `-Dname=value`, as a JVM takes it.
pub fn define(name: &str, value: &Path) -> String {
    format!("-D{name}={}", value.display())
}
