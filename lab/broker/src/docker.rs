//! Kafka in Docker: runs the shared Kafka's container that compose.yaml describes, and describes private brokers.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::command::{last_lines, run};
use crate::docker_daemon;
use crate::ports::{PortTaken, Ports};
use crate::version::{image, version};
use crate::wait;

/// How long a short `docker` command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// How long it may take to download the image, which has 400 MB, over a slow connection.
const PULL_LIMIT: Duration = Duration::from_secs(15 * 60);

/// How long the container may take to start, and then Kafka in it to become ready.
const READY_LIMIT: Duration = Duration::from_secs(120);

/// The label of each container that the lab makes. The lab touches no container without it, whatever its name is.
pub const LABEL: &str = "kafka-lab";

/// The filter of `docker ps` for containers with this label.
const OURS: &str = "label=kafka-lab";

/// A Docker daemon that answers.
#[derive(Clone, Debug)]
pub struct Docker {
    /// The daemon's address, such as `unix:///var/run/docker.sock`.
    pub host: String,
}

impl Docker {
    /// Finds a daemon that answers.
    ///
    /// # Errors
    /// If there is none, or if there is no `docker` command. The message says what to do.
    pub fn find() -> Result<Self> {
        docker_daemon::find().map(|host| Self { host })
    }

    /// Creates and starts the shared Kafka's container `name`, and waits until Kafka is ready on `port`.
    ///
    /// # Errors
    /// [`PortTaken`] if the port is taken. Also if somebody else's container has this name, if Docker cannot get the image, or
    /// if Kafka does not become ready. Then no container of ours is left.
    pub fn up(&self, name: &str, port: u16) -> Result<()> {
        // A stopped container of the same name would prevent the start.
        self.remove(name)?;
        if self.is_foreign(name)? {
            bail!(
                "The container {name} was not made by this lab, so the lab does not touch it. But the lab's own container \
                 needs this name. Remove the other one (`docker rm -f {name}`), or set KAFKA_LAB_PORT to a port other than \
                 {port}: then the lab's container has another name"
            );
        }
        if self.ask(&["image", "inspect", image()]).is_err() {
            self.pull()?;
        }
        let started = self.compose_up(name, port);
        if started.is_err() {
            let _ = self.remove(name);
        }
        started
    }

    /// Everything that a container has printed.
    ///
    /// # Errors
    /// If the container no longer exists.
    pub fn output(&self, name: &str) -> Result<String> {
        self.ask(&["logs", name])
    }

    fn compose_up(&self, name: &str, port: u16) -> Result<()> {
        let mut compose = compose_command()?;
        compose
            .arg("-f")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../compose.yaml"))
            .args(["-p", &format!("kafka-lab-{port}"), "up", "-d"])
            .env("KAFKA_LAB_PORT", port.to_string())
            .env("KAFKA_LAB_CONTAINER", name)
            .env("KAFKA_LAB_VERSION", version())
            // `docker-compose`, the old version, needs this variable too.
            .env("DOCKER_HOST", &self.host);
        let output = run(&mut compose, READY_LIMIT)?;
        if !output.status.success() {
            let said = last_lines(&output.stderr, 6);
            if said.contains("address already in use") || said.contains("port is already allocated")
            {
                bail!(PortTaken(port));
            }
            bail!(
                "Docker could not start a container of {}. It printed last:\n{said}",
                image()
            );
        }
        wait::until("Kafka in Docker to be ready", READY_LIMIT, || {
            let log = self.output(name)?;
            if log.contains("Kafka Server started") {
                return Ok(Some(()));
            }
            if self.running(name)? {
                return Ok(None);
            }
            bail!(
                "Kafka ended before it was ready. It printed last:\n{}",
                last_lines(log.as_bytes(), 8)
            )
        })
    }

    /// The command that runs a private broker in a container of this name. It runs for as long as the container.
    #[cfg(not(feature = "testcontainers"))]
    pub fn run_command(&self, name: &str, ports: Ports) -> Vec<std::ffi::OsString> {
        let mut command = vec![
            "docker".to_string(),
            "--host".to_string(),
            self.host.clone(),
        ];
        command.extend(["run", "--rm", "--name", name].map(ToString::to_string));
        let inside = ports.gate.map(|gate| gate.inside);
        for port in std::iter::once(ports.client).chain(inside) {
            command.extend(["-p".to_string(), format!("127.0.0.1:{port}:{port}")]);
        }
        for (variable, value) in container_variables(ports) {
            command.extend(["-e".to_string(), format!("{variable}={value}")]);
        }
        command.push(image().to_string());
        command.into_iter().map(Into::into).collect()
    }

    /// Whether the lab's container of this name exists and is running.
    ///
    /// # Errors
    /// If Docker does not answer.
    pub fn running(&self, name: &str) -> Result<bool> {
        let output = run(&mut self.list(name, &["--filter", OURS]), COMMAND_LIMIT)?;
        Ok(!id(&output)?.is_empty())
    }

    /// Whether somebody else's container has this name.
    ///
    /// # Errors
    /// If Docker does not answer.
    pub fn is_foreign(&self, name: &str) -> Result<bool> {
        let any = run(&mut self.list(name, &["-a"]), COMMAND_LIMIT)?;
        let ours = run(
            &mut self.list(name, &["-a", "--filter", OURS]),
            COMMAND_LIMIT,
        )?;
        Ok(id(&any)? != id(&ours)?)
    }

    /// Stops and removes the lab's container of this name and its data. Does nothing if there is no such container. Does its
    /// work even if Ctrl-C was pressed.
    ///
    /// # Errors
    /// If Docker refuses.
    pub fn remove(&self, name: &str) -> Result<()> {
        let ours = self.list(name, &["-a", "--filter", OURS]).output();
        let ours = id(&ours.context("`docker` could not be started")?)?;
        if ours.is_empty() {
            return Ok(());
        }
        let output = self
            .command()
            .args(["rm", "-f", "-v", &ours])
            .stdin(Stdio::null())
            .output()
            .context("`docker` could not be started")?;
        let said = last_lines(&output.stderr, 3);
        if output.status.success() || said.contains("No such container") {
            return Ok(());
        }
        bail!("Docker could not remove the container {name}: {said}")
    }

    /// The command `docker`, which will talk to this daemon.
    pub fn command(&self) -> Command {
        let mut command = Command::new("docker");
        command.env("DOCKER_HOST", &self.host);
        command
    }

    fn pull(&self) -> Result<()> {
        let image = image();
        eprintln!("Kafka: Docker downloads the image {image} (400 MB, only once) …");
        let output = run(self.command().args(["pull", image]), PULL_LIMIT)?;
        if !output.status.success() {
            bail!(
                "Docker answers, but could not download the image {image}: {}\n\
                 Check your network connection. Or use a plain JVM instead of Docker: set KAFKA_LAB_BROKER=jvm",
                last_lines(&output.stderr, 1)
            );
        }
        Ok(())
    }

    /// The command that prints the id of the container of this name, if `docker ps` with these options lists it.
    fn list(&self, name: &str, options: &[&str]) -> Command {
        let mut list = self.command();
        list.args(["ps", "-q", "--filter", &format!("name=^/{name}$")]);
        list.args(options).stdin(Stdio::null());
        list
    }

    /// Runs a docker command, which must succeed. Returns what it printed on standard output and standard error.
    fn ask(&self, arguments: &[&str]) -> Result<String> {
        let output = run(self.command().args(arguments), COMMAND_LIMIT)?;
        if !output.status.success() {
            bail!(
                "`docker {}` failed: {}",
                arguments.join(" "),
                last_lines(&output.stderr, 2)
            );
        }
        Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }
}

/// The id that [`Docker::list`] has printed. It is empty if there is no such container.
fn id(output: &Output) -> Result<String> {
    if !output.status.success() {
        bail!("`docker ps` failed: {}", last_lines(&output.stderr, 2));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// The environment variables with which the official image runs a private broker: a single node with these ports.
pub fn container_variables(ports: Ports) -> Vec<(&'static str, String)> {
    let fixed = [
        ("KAFKA_NODE_ID", "1"),
        ("KAFKA_PROCESS_ROLES", "broker,controller"),
        (
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
            "CONTROLLER:PLAINTEXT,CLIENT:PLAINTEXT,GATE:PLAINTEXT",
        ),
        ("KAFKA_INTER_BROKER_LISTENER_NAME", "CLIENT"),
        ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9093"),
        ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1"),
        ("KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS", "1"),
        ("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1"),
        ("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1"),
        ("KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS", "1"),
        ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0"),
        ("KAFKA_GROUP_CONSUMER_MIN_SESSION_TIMEOUT_MS", "6000"),
        ("KAFKA_GROUP_CONSUMER_SESSION_TIMEOUT_MS", "10000"),
        ("KAFKA_GROUP_CONSUMER_MIN_HEARTBEAT_INTERVAL_MS", "3000"),
        ("KAFKA_GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS", "3000"),
        ("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false"),
        ("KAFKA_LOG_CLEANER_DEDUPE_BUFFER_SIZE", "2097152"),
        ("KAFKA_NUM_NETWORK_THREADS", "1"),
        ("KAFKA_NUM_IO_THREADS", "2"),
        ("KAFKA_BACKGROUND_THREADS", "2"),
        ("KAFKA_LOG4J_LOGGERS", "kafka.request.logger=DEBUG"),
    ];
    let listeners = format!("{},CONTROLLER://localhost:9093", ports.listeners("0.0.0.0"));
    let mut variables: Vec<_> = fixed
        .map(|(name, value)| (name, value.to_string()))
        .to_vec();
    variables.push(("KAFKA_LISTENERS", listeners));
    variables.push(("KAFKA_ADVERTISED_LISTENERS", ports.advertised()));
    variables
}

/// The command `docker compose`, or its predecessor `docker-compose`.
///
/// # Errors
/// If neither is installed.
pub fn compose_command() -> Result<Command> {
    let answers = |command: &mut Command| {
        run(command.arg("version"), COMMAND_LIMIT).is_ok_and(|output| output.status.success())
    };
    if answers(Command::new("docker").arg("compose")) {
        let mut command = Command::new("docker");
        command.arg("compose");
        return Ok(command);
    }
    if answers(&mut Command::new("docker-compose")) {
        return Ok(Command::new("docker-compose"));
    }
    Err(anyhow!(
        "Docker answers, but Docker Compose is missing: install its plugin (Debian: docker-compose)"
    ))
}
