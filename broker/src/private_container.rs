//! A private Kafka in Docker, by testcontainers.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use tokio::runtime::Runtime;

use crate::jvm::PortTaken;
use crate::ports::Ports;

/// A container whose owner was killed ends itself after this many seconds.
const LIFE: &str = "1800";

/// The container. Dropping it removes it.
#[derive(Debug)]
pub struct PrivateContainer {
    /// Only `None` while it is dropped.
    container: Option<ContainerAsync<GenericImage>>,
    runtime: Runtime,
}

impl PrivateContainer {
    /// Starts Kafka with its listeners on these ports of loopback, and waits until it is ready.
    ///
    /// # Errors
    /// [`PortTaken`]; when the image cannot be had, or Kafka does not come up.
    pub fn start(ports: Ports) -> Result<Self> {
        let (name, tag) = crate::IMAGE
            .rsplit_once(':')
            .unwrap_or((crate::IMAGE, "latest"));
        let runtime = Runtime::new()?;
        let request = GenericImage::new(name, tag)
            .with_wait_for(WaitFor::message_on_stdout("Kafka Server started"))
            .with_mapped_port(ports.client, ports.client.tcp())
            .with_startup_timeout(Duration::from_secs(120))
            .with_cmd(["timeout", LIFE, "/etc/kafka/docker/run"])
            .with_host_config_modifier(|host| {
                host.auto_remove = Some(true);
                for bindings in host.port_bindings.iter_mut().flatten() {
                    for binding in bindings.1.iter_mut().flatten() {
                        binding.host_ip = Some("127.0.0.1".to_string());
                    }
                }
            })
            .with_env_var("KAFKA_NODE_ID", "1")
            .with_env_var("KAFKA_PROCESS_ROLES", "broker,controller")
            .with_env_var(
                "KAFKA_LISTENERS",
                format!("{},CONTROLLER://localhost:9093", ports.listeners("0.0.0.0")),
            )
            .with_env_var("KAFKA_ADVERTISED_LISTENERS", ports.advertised())
            .with_env_var(
                "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
                "CONTROLLER:PLAINTEXT,CLIENT:PLAINTEXT,GATE:PLAINTEXT",
            )
            .with_env_var("KAFKA_INTER_BROKER_LISTENER_NAME", "CLIENT")
            .with_env_var("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER")
            .with_env_var("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9093")
            .with_env_var("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1")
            .with_env_var("KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS", "1")
            .with_env_var("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1")
            .with_env_var("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1")
            .with_env_var("KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS", "1")
            .with_env_var("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0")
            .with_env_var("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
            .with_env_var("KAFKA_LOG4J_LOGGERS", "kafka.request.logger=DEBUG");
        let request = match ports.gate {
            Some(gate) => request.with_mapped_port(gate.inside, gate.inside.tcp()),
            None => request,
        };
        let started = runtime.block_on(request.start());
        let container = started.map_err(|error| {
            let text = error.to_string();
            if text.contains("address already in use") || text.contains("port is already allocated")
            {
                return PortTaken(ports.client).into();
            }
            anyhow!("testcontainers could not start {}: {text}", crate::IMAGE)
        })?;
        Ok(Self {
            container: Some(container),
            runtime,
        })
    }

    /// # Errors
    /// When the container has gone.
    pub fn pause(&self) -> Result<()> {
        Ok(self.runtime.block_on(self.container()?.pause())?)
    }

    /// # Errors
    /// When the container has gone.
    pub fn unpause(&self) -> Result<()> {
        Ok(self.runtime.block_on(self.container()?.unpause())?)
    }

    /// All that the broker has written so far; the request log is among it.
    ///
    /// # Errors
    /// When the container has gone.
    pub fn output(&self) -> Result<String> {
        let bytes = self.runtime.block_on(self.container()?.stdout_to_vec())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn container(&self) -> Result<&ContainerAsync<GenericImage>> {
        self.container.as_ref().context("the container has gone")
    }
}

impl Drop for PrivateContainer {
    fn drop(&mut self) {
        if let Some(container) = self.container.take() {
            let _ = self.runtime.block_on(container.rm());
        }
    }
}
