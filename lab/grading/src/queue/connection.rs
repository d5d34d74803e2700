//! The cluster that carries classes, and how its clients connect to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

/// How long the cluster's first answer may take.
pub const REACH_LIMIT: Duration = Duration::from_secs(10);

/// A cluster, by the addresses that clients start from, and what its clients need to log in.
#[derive(Clone, Debug)]
pub struct Connection {
    pub servers: String,
    /// The file with the settings, for a process that connects to the same cluster.
    pub settings_file: Option<PathBuf>,
    settings: Vec<(String, String)>,
}

impl Connection {
    /// The cluster at these addresses. The file holds settings of librdkafka, one in a line: `security.protocol=SASL_PLAINTEXT`.
    /// Does not connect yet.
    ///
    /// # Errors
    /// When the file cannot be read, or a line is not a setting.
    pub fn new(servers: String, settings_file: Option<PathBuf>) -> Result<Self> {
        let settings = match &settings_file {
            Some(file) => read(file)?,
            None => Vec::new(),
        };
        Ok(Self {
            servers,
            settings_file,
            settings,
        })
    }

    /// The configuration that all clients share. `client` is the client's name for itself.
    pub fn config(&self, client: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.servers)
            .set("client.id", client)
            .set("allow.auto.create.topics", "false")
            .set_log_level(RDKafkaLogLevel::Emerg);
        for (name, value) in &self.settings {
            config.set(name, value);
        }
        config
    }

    /// The error for a cluster that does not answer.
    pub fn no_answer(&self, error: impl Into<Error>) -> Error {
        anyhow!(
            "Kafka does not answer at {} ({}). Correct the address after --through (HOST:PORT), or start that Kafka; `cargo lab up` \
             starts one on this machine",
            self.servers,
            error.into()
        )
    }
}

fn read(file: &Path) -> Result<Vec<(String, String)>> {
    let text =
        fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let mut settings = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            bail!("{}: `{line}` is not a setting, name=value", file.display());
        };
        settings.push((name.trim().to_string(), value.trim().to_string()));
    }
    Ok(settings)
}
