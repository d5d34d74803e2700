//! The ways to get a Kafka on this machine.

use anyhow::{Result, bail};

use crate::docker::compose_command;
use crate::version::{check, image};
use crate::{Cache, Docker, Java, jars};

/// A way to get a real Kafka.
#[derive(Clone, Debug)]
pub enum Way {
    /// The user's own cluster, which `BOOTSTRAP_SERVERS` names. We neither start nor stop it.
    Yours(String),
    /// The official image, in Docker.
    Docker(Docker),
    /// A plain JVM, without Docker.
    Jvm(Java),
}

impl Way {
    /// The way for the shared Kafka: the first of these three that works.
    /// 1. The cluster in `BOOTSTRAP_SERVERS`.
    /// 2. Docker, if it answers and Docker Compose is installed.
    /// 3. A plain JVM.
    ///
    /// If `KAFKA_LAB_BROKER` is `docker` or `jvm`, it decides between the last two.
    ///
    /// # Errors
    /// If none of them works. The message names all three.
    pub fn for_shared() -> Result<Self> {
        match bootstrap_servers() {
            Some(servers) => Ok(Self::Yours(servers)),
            None => own(
                || {
                    let docker = Docker::find()?;
                    compose_command()?;
                    Ok(docker)
                },
                "\n- your own cluster: set BOOTSTRAP_SERVERS to the addresses of its brokers",
            ),
        }
    }

    /// The way for a private broker, on which programs are judged: Docker if it answers, otherwise a plain JVM. If
    /// `KAFKA_LAB_BROKER` is `docker` or `jvm`, it decides. Docker Compose is not needed.
    ///
    /// # Errors
    /// If neither works.
    pub fn for_private() -> Result<Self> {
        own(Docker::find, "")
    }
}

/// The user's own cluster, if `BOOTSTRAP_SERVERS` names one.
pub fn bootstrap_servers() -> Option<String> {
    std::env::var("BOOTSTRAP_SERVERS")
        .ok()
        .filter(|servers| !servers.trim().is_empty())
}

/// Docker or a plain JVM. `besides` names more ways, for the message of the error.
fn own(docker: impl Fn() -> Result<Docker>, besides: &str) -> Result<Way> {
    check()?;
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
        Ok(other) => bail!("KAFKA_LAB_BROKER is `{other}`, but must be `docker` or `jvm`"),
    }
    docker().or_else(|no_docker| {
        jvm().or_else(|no_jvm: anyhow::Error| {
            bail!(
                "Kafka cannot be started on this machine. It needs one of the following:\n\
                 - Docker: {no_docker:#}\n\
                 - a plain JVM: {no_jvm:#}{besides}"
            )
        })
    })
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Yours(servers) => write!(f, "your own cluster at {servers} (BOOTSTRAP_SERVERS)"),
            Self::Docker(_) => write!(f, "Docker, image {}", image()),
            Self::Jvm(java) => write!(f, "a plain JVM, {}", java.version),
        }
    }
}
