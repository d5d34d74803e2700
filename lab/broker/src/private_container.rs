//! A private Kafka in Docker, by testcontainers.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use tokio::runtime::Runtime;

use crate::docker::container_variables;
use crate::jvm::PortTaken;
use crate::ports::Ports;

/// A container ends itself after this many seconds, for its owner may have been killed. The tests keep theirs for as long as
/// they run.
const LIFE: &str = "10800";

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
            });
        let request = container_variables(ports)
            .into_iter()
            .fold(request, |request, (name, value)| {
                request.with_env_var(name, value)
            });
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

    /// All that the broker has written so far; the request log is among it.
    ///
    /// # Errors
    /// When the container has gone.
    pub fn output(&self) -> Result<Vec<u8>> {
        Ok(self.runtime.block_on(self.container()?.stdout_to_vec())?)
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
