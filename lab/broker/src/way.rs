//! Where Kafka comes from on this machine.

use anyhow::{Result, bail};

use crate::docker::compose_command;
use crate::{Cache, Docker, Java, jars};

/// The ways to have a real Kafka.
#[derive(Clone, Debug)]
pub enum Way {
    /// The cluster that `BOOTSTRAP_SERVERS` names. Nothing is started or stopped.
    Yours(String),
    /// The official image.
    Docker(Docker),
    /// A plain JVM.
    Jvm(Java),
}

impl Way {
    /// The way for the lab's Kafka: `BOOTSTRAP_SERVERS`; or else Docker, where it answers and has compose; or else a
    /// plain JVM. `KAFKA_LAB_BROKER` set to `docker` or `jvm` insists on one of these two.
    ///
    /// # Errors
    /// When there is no way at all: one message that names all three.
    pub fn for_lab() -> Result<Self> {
        match bootstrap_servers() {
            Some(servers) => Ok(Self::Yours(servers)),
            None => own(
                || {
                    let docker = Docker::find()?;
                    compose_command()?;
                    Ok(docker)
                },
                "\n- your own cluster: name its brokers in BOOTSTRAP_SERVERS",
            ),
        }
    }

    /// The way for a private broker, on which programs are judged: as [`Way::for_lab`], but never `BOOTSTRAP_SERVERS`, and
    /// without compose.
    ///
    /// # Errors
    /// When neither Docker nor Java can be had.
    pub fn for_private() -> Result<Self> {
        own(Docker::find, "")
    }
}

/// The cluster that the user names, if any.
pub fn bootstrap_servers() -> Option<String> {
    std::env::var("BOOTSTRAP_SERVERS")
        .ok()
        .filter(|servers| !servers.trim().is_empty())
}

/// Docker or a plain JVM; `besides` is what else would do.
fn own(docker: impl Fn() -> Result<Docker>, besides: &str) -> Result<Way> {
    let docker = || docker().map(Way::Docker);
    let jvm = || {
        let java = Java::find()?;
        jars::available(&Cache::open()?)?;
        Ok(Way::Jvm(java))
    };
    match std::env::var("KAFKA_LAB_BROKER").as_deref() {
        Ok("docker") => return docker(),
        Ok("jvm") => return jvm(),
        Ok("") | Err(_) => {}
        Ok(other) => bail!("KAFKA_LAB_BROKER is `{other}`; it may be `docker` or `jvm`"),
    }
    docker().or_else(|no_docker| {
        jvm().or_else(|no_jvm: anyhow::Error| {
            bail!(
                "No Kafka can be started here. Any one of these will do:\n\
                 - Docker: {no_docker:#}\n\
                 - a plain JVM: {no_jvm:#}{besides}"
            )
        })
    })
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Yours(servers) => write!(f, "the cluster of BOOTSTRAP_SERVERS, {servers}"),
            Self::Docker(_) => write!(f, "Docker, image {}", crate::IMAGE),
            Self::Jvm(java) => write!(f, "a plain JVM, {}", java.version),
        }
    }
}
