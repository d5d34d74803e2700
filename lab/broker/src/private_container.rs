//! A private Kafka in Docker, started with the crate `testcontainers`.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use tokio::runtime::Runtime;

use crate::docker::container_variables;
use crate::ports::{PortTaken, Ports};
use crate::version::image;

/// After how many seconds a container ends by itself. This ends containers whose owner was killed. It is long, because the tests
/// keep their containers for as long as they run.
const LIFE: &str = "10800";

/// A container with Kafka. Dropping this value removes the container.
#[derive(Debug)]
pub struct PrivateContainer {
    /// `None` only while this value is dropped.
    container: Option<ContainerAsync<GenericImage>>,
    runtime: Runtime,
}

impl PrivateContainer {
    /// Starts Kafka on these ports of loopback, and waits until it is ready.
    ///
    /// # Errors
    /// [`PortTaken`] if a port is taken. Also if Docker cannot get the image, or if Kafka does not become ready.
    pub fn start(ports: Ports) -> Result<Self> {
        let (name, tag) = image().rsplit_once(':').unwrap_or((image(), "latest"));
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
            anyhow!("testcontainers could not start {}: {text}", image())
        })?;
        Ok(Self {
            container: Some(container),
            runtime,
        })
    }

    /// Everything that the broker has printed so far, including the request log.
    ///
    /// # Errors
    /// If the container no longer exists.
    pub fn output(&self) -> Result<Vec<u8>> {
        Ok(self.runtime.block_on(self.container()?.stdout_to_vec())?)
    }

    fn container(&self) -> Result<&ContainerAsync<GenericImage>> {
        self.container
            .as_ref()
            .context("the container has been removed")
    }
}

impl Drop for PrivateContainer {
    fn drop(&mut self) {
        if let Some(container) = self.container.take() {
            let _ = self.runtime.block_on(container.rm());
        }
    }
}
