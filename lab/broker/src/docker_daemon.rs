//! Finds the Docker daemon where the `docker` command finds it, and where daemons without a context usually are.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::command::find_on_path;

/// How long the daemon may take to answer. Usually it answers within a millisecond, on a busy machine later. If it hangs, we
/// must not wait for it long, because a JVM may do instead.
const PROBE_LIMIT: Duration = Duration::from_secs(3);

/// The port of a daemon whose address names none, as for the `docker` command.
const PORT: u16 = 2375;

/// The name of the context that stands for no context.
const NO_CONTEXT: &str = "default";

/// Finds a daemon that answers, and returns its address. If a variable names a daemon, no other one counts.
///
/// # Errors
/// If no daemon answers within three seconds, or if there is no `docker` command. The message says what to do.
pub fn find() -> Result<String> {
    let variable = |name: &str| std::env::var(name).ok();
    let mut reasons = Vec::new();
    let mut absent = Vec::new();
    for host in hosts(&variable)? {
        match ping(&host) {
            Ok(()) if find_on_path("docker").is_some() => return Ok(host),
            Ok(()) => bail!(
                "a daemon answers at {host}, but the command `docker` is missing. Install it (Debian: docker-cli)"
            ),
            Err(error) if is_absent(&error) => absent.push(host),
            Err(error) => reasons.push(format!("{host}: {error:#}")),
        }
    }
    if !absent.is_empty() {
        reasons.push(format!("there is no {}", absent.join(", no ")));
    }
    bail!(
        "no daemon answers ({}). To use Kafka in Docker, install Docker and start it. If it is running elsewhere, set \
         DOCKER_HOST to its address",
        reasons.join("; ")
    );
}

/// The addresses at which a daemon may be, the most likely one first.
fn hosts(variable: &impl Fn(&str) -> Option<String>) -> Result<Vec<String>> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let Some(host) = set("DOCKER_HOST") {
        return Ok(vec![host]);
    }
    let home = PathBuf::from(set("HOME").unwrap_or_default());
    let config = set("DOCKER_CONFIG").map_or_else(|| home.join(".docker"), PathBuf::from);
    let mut hosts = Vec::new();
    if let Some(name) = set("DOCKER_CONTEXT") {
        if name != NO_CONTEXT {
            let host = host_of_context(&config, &name);
            let host = host.with_context(|| {
                format!(
                    "DOCKER_CONTEXT is `{name}`, but there is no such context in {}. `docker context ls` lists all contexts",
                    config.display()
                )
            })?;
            return Ok(vec![host]);
        }
    } else if let Some(name) = current_context(&config) {
        // If this daemon does not answer, another one may: Docker Desktop may be stopped while Docker Engine is running.
        hosts.extend(host_of_context(&config, &name));
    }
    // The sockets of a daemon that runs as the user; without this folder, those of one that runs as root.
    let runtime = PathBuf::from(set("XDG_RUNTIME_DIR").unwrap_or_else(|| "/run".to_string()));
    let sockets = [
        PathBuf::from("/var/run/docker.sock"),
        home.join(".docker/run/docker.sock"),
        runtime.join("docker.sock"),
        runtime.join("podman/podman.sock"),
        PathBuf::from("/run/podman/podman.sock"),
    ];
    let sockets = sockets.map(|socket| format!("unix://{}", socket.display()));
    for socket in sockets {
        if !hosts.contains(&socket) {
            hosts.push(socket);
        }
    }
    Ok(hosts)
}

/// The context that `docker context use` has chosen. There is none if the file does not exist or is broken.
fn current_context(config: &Path) -> Option<String> {
    let name = json(&config.join("config.json"))?;
    let name = name["currentContext"].as_str()?;
    (!name.is_empty() && name != NO_CONTEXT).then(|| name.to_string())
}

/// The daemon's address in the context with this name.
fn host_of_context(config: &Path, name: &str) -> Option<String> {
    let contexts = fs::read_dir(config.join("contexts/meta")).ok()?;
    let mut contexts = contexts
        .flatten()
        .filter_map(|folder| json(&folder.path().join("meta.json")));
    let context = contexts.find(|context| context["Name"] == name)?;
    Some(context["Endpoints"]["docker"]["Host"].as_str()?.to_string())
}

fn json(file: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

/// Does the error say that there is no such socket?
fn is_absent(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Asks the daemon whether it is there, with its HTTP request `/_ping`.
fn ping(host: &str) -> Result<()> {
    if let Some(path) = host.strip_prefix("unix://") {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PROBE_LIMIT))?;
        stream.set_write_timeout(Some(PROBE_LIMIT))?;
        return ask_ping(stream);
    }
    if let Some(address) = host.strip_prefix("tcp://") {
        let stream = connect(address.trim_end_matches('/'))?;
        stream.set_read_timeout(Some(PROBE_LIMIT))?;
        stream.set_write_timeout(Some(PROBE_LIMIT))?;
        return ask_ping(stream);
    }
    bail!("the address must begin with unix:// or tcp://")
}

/// Connects to a host and a port. A name may stand for several addresses, of which the daemon may listen on only one.
fn connect(address: &str) -> Result<TcpStream> {
    let has_port = address
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let addresses = if has_port {
        address.to_socket_addrs()
    } else {
        (address, PORT).to_socket_addrs()
    };
    let mut last = anyhow!("the name stands for no address");
    for address in addresses.context("the name of the host is not known")? {
        match TcpStream::connect_timeout(&address, PROBE_LIMIT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

fn ask_ping(mut stream: impl Read + Write) -> Result<()> {
    stream.write_all(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")?;
    let mut status = [0; 12];
    stream
        .read_exact(&mut status)
        .context("the daemon does not answer")?;
    if &status[9..] != b"200" {
        bail!("the daemon answers {}", String::from_utf8_lossy(&status));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use tempfile::TempDir;

    use super::*;

    /// The configuration of a `docker` command that uses the context `colima`.
    fn config() -> TempDir {
        let config = TempDir::new().unwrap();
        let meta = config.path().join("contexts/meta/a0b1");
        fs::create_dir_all(&meta).unwrap();
        fs::write(
            meta.join("meta.json"),
            r#"{"Name": "colima", "Metadata": {}, "Endpoints": {"docker": {"Host": "unix:///colima.sock"}}}"#,
        )
        .unwrap();
        fs::write(
            config.path().join("config.json"),
            r#"{"auths": {}, "currentContext": "colima"}"#,
        )
        .unwrap();
        config
    }

    fn hosts_with(config: &TempDir, variables: &[(&str, &str)]) -> Result<Vec<String>> {
        let config = config.path().to_str().unwrap();
        let known = [("HOME", "/home/jane"), ("DOCKER_CONFIG", config)];
        let known = [variables, &known].concat();
        hosts(&|name| {
            let found = known.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_string())
        })
    }

    #[test]
    fn a_variable_decides_alone() {
        let host = ("DOCKER_HOST", "tcp://other:2375");
        let context = ("DOCKER_CONTEXT", "colima");
        let config = config();
        let hosts = |variables: &[(&str, &str)]| hosts_with(&config, variables).unwrap();
        assert_eq!(hosts(&[context, host]), ["tcp://other:2375"]);
        assert_eq!(hosts(&[context]), ["unix:///colima.sock"]);
        assert_eq!(
            hosts(&[("DOCKER_CONTEXT", "default")])[0],
            "unix:///var/run/docker.sock"
        );
        let error = hosts_with(&config, &[("DOCKER_CONTEXT", "gone")]);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("no such context"), "{error}");
    }

    #[test]
    fn the_current_context_comes_before_the_usual_sockets() {
        let runtime = ("XDG_RUNTIME_DIR", "/run/user/7");
        let hosts = hosts_with(&config(), &[runtime]).unwrap();
        assert_eq!(
            hosts,
            [
                "unix:///colima.sock",
                "unix:///var/run/docker.sock",
                "unix:///home/jane/.docker/run/docker.sock",
                "unix:///run/user/7/docker.sock",
                "unix:///run/user/7/podman/podman.sock",
                "unix:///run/podman/podman.sock",
            ]
        );
        let none = TempDir::new().unwrap();
        let hosts = hosts_with(&none, &[runtime]).unwrap();
        assert_eq!(hosts[0], "unix:///var/run/docker.sock");
    }

    #[test]
    fn a_daemon_is_found_by_the_name_of_its_host() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let daemon = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut request = [0; 64];
            let length = client.read(&mut request).unwrap();
            assert!(request[..length].starts_with(b"GET /_ping"));
            client.write_all(b"HTTP/1.0 200 OK\r\n\r\n").unwrap();
        });
        ping(&format!("tcp://localhost:{port}/")).unwrap();
        daemon.join().unwrap();
        let error = format!("{:#}", ping("tcp://no.such.host.invalid:1").unwrap_err());
        assert!(error.contains("the host is not known"), "{error}");
    }
}
