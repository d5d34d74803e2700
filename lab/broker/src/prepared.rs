//! What is needed to start Kafka in a plain JVM, and where its files are.

use std::path::{Path, PathBuf};

use crate::Java;
use crate::ports::Ports;

/// The broker's configuration, without its ports and its data folder.
pub const PROPERTIES: &str = include_str!("../kafka/server.properties");

/// The log4j2 configuration of the broker.
pub const LOGGING: &str = include_str!("../kafka/log4j2.yaml");

/// The log4j2 configuration of the command-line tools.
pub const TOOLS_LOGGING: &str = include_str!("../kafka/tools-log4j2.yaml");

/// A Java, Kafka's jars, and a folder with what makes Kafka start within about a second.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub java: Java,
    pub class_path: String,
    /// The version of this Kafka.
    pub version: String,
    pub folder: PathBuf,
}

impl Prepared {
    /// The formatted data folder. A broker can start from a copy of it.
    pub fn template(&self) -> PathBuf {
        self.folder.join("template")
    }

    /// The archive of the classes that Kafka loads.
    pub fn archive(&self) -> PathBuf {
        self.folder.join("classes.jsa")
    }

    /// The JVM option that makes the archive when the JVM ends.
    pub fn make_archive(&self) -> String {
        self.archive_option("AOTCacheOutput", "ArchiveClassesAtExit")
    }

    /// The JVM option that uses the archive. A JVM that cannot use the archive starts without it.
    pub fn use_archive(&self) -> String {
        self.archive_option("AOTCache", "SharedArchiveFile")
    }

    /// The JVM option about the archive. Since Java 25, which makes it in one step (JEP 514), this is an AOT cache, which also
    /// keeps classes linked (JEP 483). Before that, it is an archive of AppCDS.
    fn archive_option(&self, of_aot_cache: &str, of_app_cds: &str) -> String {
        let option = if self.java.major >= 25 {
            of_aot_cache
        } else {
            of_app_cds
        };
        format!("-XX:{option}={}", self.archive().display())
    }

    /// The file with [`LOGGING`].
    pub fn logging(&self) -> PathBuf {
        self.folder.join("log4j2.yaml")
    }

    /// The file with [`TOOLS_LOGGING`].
    pub fn tools_logging(&self) -> PathBuf {
        self.folder.join("tools-log4j2.yaml")
    }
}

/// The configuration of a broker that listens on these ports of loopback, and keeps its data in the folder `data`.
pub fn properties_for(ports: Ports, data: &Path) -> String {
    let controller = ports.controller;
    format!(
        "{PROPERTIES}\
         listeners={},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners={}\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         log.dirs={}\n",
        ports.listeners("127.0.0.1"),
        ports.advertised(),
        data.display()
    )
}

/// The JVM option `-Dname=value`.
pub fn define(name: &str, value: &Path) -> String {
    format!("-D{name}={}", value.display())
}
