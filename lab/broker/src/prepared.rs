//! What is needed to start Kafka in a plain JVM, and where its files are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::Java;
use crate::ports::Ports;

/// The broker's configuration, without its ports and its data folder.
pub const PROPERTIES: &str = include_str!("../kafka/server.properties");

/// The log4j2 configuration of the broker.
pub const LOGGING: &str = include_str!("../kafka/log4j2.yaml");

/// `Servers.java`, compiled: several brokers in one JVM.
pub const SERVERS: &[u8] = include_bytes!("../kafka/servers.jar");

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

    /// The JVM option that uses the archive, if there is one. A JVM that cannot use it starts without it.
    pub fn use_archive(&self) -> String {
        if self.archive().exists() {
            self.archive_option("AOTCache", "SharedArchiveFile")
        } else {
            // This is the default: Java's own archive, if it has one.
            "-Xshare:auto".to_string()
        }
    }

    /// The command that runs one of Kafka's main classes, with these options for the JVM. Its log goes where that of the tools goes.
    pub fn tool(&self, options: &[&str], class: &str) -> Command {
        let mut command = self.java.command();
        command
            .args(options)
            .arg(define("log4j2.configurationFile", &self.tools_logging()))
            .args(["-cp", &self.class_path, class]);
        command
    }

    /// The first words of the command that starts a broker which keeps its logs in `folder`: Java, and options for its memory, for
    /// the archive, and for the log.
    pub fn broker_words(&self, memory: &str, archive: &str, folder: &Path) -> Vec<OsString> {
        let mut words = self.java.words();
        // What is compiled for the best speed pays for itself only after minutes.
        let options = [
            memory,
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            archive,
        ];
        words.extend(options.map(Into::into));
        words.push(define("kafka.logs.dir", folder).into());
        words.push(define("log4j2.configurationFile", &self.logging()).into());
        words
    }

    /// A file that exists if this Java makes no archive.
    pub fn without_archive(&self) -> PathBuf {
        self.folder.join("without-archive")
    }

    /// Whether everything was made that this Java can make.
    pub fn is_whole(&self) -> bool {
        self.archive().exists() || self.without_archive().exists()
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

    /// The file with [`SERVERS`].
    pub fn servers(&self) -> PathBuf {
        self.folder.join("servers.jar")
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
///
/// # Errors
/// If Kafka cannot keep its data there, because of the folder's name.
pub fn properties_for(ports: Ports, data: &Path) -> Result<String> {
    let controller = ports.controller;
    Ok(format!(
        "{PROPERTIES}\
         listeners={},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners={}\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         log.dirs={}\n",
        ports.listeners("127.0.0.1"),
        ports.advertised(),
        in_properties(data)?
    ))
}

/// A folder as a file of properties has it. Such a file is Latin-1: any other character, and a backslash, has to be escaped (Java:
/// `Properties.load`). Otherwise Kafka would take another folder.
fn in_properties(folder: &Path) -> Result<String> {
    // `log.dirs` is a list of folders, with commas between them.
    let Some(text) = folder.to_str().filter(|text| !text.contains(',')) else {
        bail!(
            "Kafka cannot keep its data in {}, because its name has a comma, or is not in Unicode. Set KAFKA_LAB_CACHE to another \
             folder",
            folder.display()
        );
    };
    let escaped = text.chars().map(|character| match character {
        '\\' => r"\\".to_string(),
        ' '..='~' => character.to_string(),
        _ => {
            let mut units = [0; 2];
            let units = character.encode_utf16(&mut units).iter();
            units.map(|unit| format!("\\u{unit:04x}")).collect()
        }
    });
    Ok(escaped.collect())
}

/// The JVM option `-Dname=value`.
pub fn define(name: &str, value: &Path) -> String {
    format!("-D{name}={}", value.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_folder_reaches_kafka_as_it_is_or_is_refused() {
        let of = |folder: &str| in_properties(Path::new(folder)).map_err(|error| error.to_string());
        assert_eq!(of("/home/jane doe/#1"), Ok("/home/jane doe/#1".to_string()));
        assert_eq!(of("/home/Müller"), Ok(r"/home/M\u00fcller".to_string()));
        assert_eq!(of("/home/𝄞"), Ok(r"/home/\ud834\udd1e".to_string()));
        assert_eq!(of(r"/home/a\b"), Ok(r"/home/a\\b".to_string()));
        let error = of("/home/doe,jane").unwrap_err();
        assert!(error.contains("KAFKA_LAB_CACHE"), "{error}");
    }
}
