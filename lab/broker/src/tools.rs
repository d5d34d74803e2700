//! Kafka's own command-line tools, under the slides' names and with the slides' arguments.

use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

use crate::prepared::{Prepared, define};
use crate::shared::{Place, SharedKafka};
use crate::{Cache, Docker, IMAGE, Java};

/// A tool: its name and its main class.
const TOOLS: &[(&str, &str)] = &[
    ("kafka-topics", "org.apache.kafka.tools.TopicCommand"),
    (
        "kafka-console-producer",
        "org.apache.kafka.tools.ConsoleProducer",
    ),
    (
        "kafka-console-consumer",
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
    ),
    (
        "kafka-consumer-groups",
        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    ),
    ("kafka-configs", "kafka.admin.ConfigCommand"),
    ("kafka-get-offsets", "org.apache.kafka.tools.GetOffsetShell"),
];

/// Options that Kafka 4 renamed: the tool, the name on the slides, the new one. Kafka still takes the old names, but
/// says so on *standard output*, between the messages.
const RENAMED: &[(&str, &str, &str)] = &[
    ("kafka-console-producer", "--property", "--reader-property"),
    (
        "kafka-console-consumer",
        "--property",
        "--formatter-property",
    ),
    (
        "kafka-console-producer",
        "--producer-property",
        "--command-property",
    ),
    (
        "kafka-console-consumer",
        "--consumer-property",
        "--command-property",
    ),
    (
        "kafka-console-producer",
        "--producer.config",
        "--command-config",
    ),
    (
        "kafka-console-consumer",
        "--consumer.config",
        "--command-config",
    ),
];

/// The names of the tools.
pub fn names() -> impl Iterator<Item = &'static str> {
    TOOLS.iter().map(|(name, _)| *name)
}

/// The command that runs the tool `name` against `lab`: in its container, or in a JVM here. `--bootstrap-server` is
/// added where it is missing.
///
/// # Errors
/// When there is no such tool, or neither Java nor Docker to run it with.
pub fn command(lab: &SharedKafka, name: &str, arguments: &[String]) -> Result<Command> {
    let Some((_, class)) = TOOLS.iter().find(|(tool, _)| *tool == name) else {
        let known: Vec<_> = names().collect();
        bail!(
            "there is no tool `{name}`; the lab knows {}",
            known.join(", ")
        );
    };
    let mut all = arguments.to_vec();
    for argument in &mut all {
        rename(name, argument);
    }
    let given = |argument: &String| argument.split('=').next() == Some("--bootstrap-server");
    if !all.iter().any(given) {
        all.extend(["--bootstrap-server".to_string(), lab.bootstrap.clone()]);
    }
    match lab.place() {
        Place::Docker { docker, container } => {
            let ends_with_input = ends_with_input(lab, name);
            Ok(in_container(docker, container, ends_with_input, name, &all))
        }
        Place::Jvm(_) => in_jvm(&Java::find()?, class, &all),
        Place::Yours => match (Java::find(), Docker::find()) {
            (Ok(java), _) => in_jvm(&java, class, &all),
            (_, Ok(docker)) => {
                let mut command = docker.command();
                command.args(["run", "--rm", "-i", "--network", "host", IMAGE]);
                command.arg(script(name)).args(&all);
                Ok(command)
            }
            (Err(no_java), Err(no_docker)) => {
                bail!("{name} needs Java or Docker. {no_java:#}; {no_docker:#}")
            }
        },
    }
}

/// Runs the tool `name` in this terminal and returns its exit status. Where it can, the tool takes our place, so that
/// Ctrl-C, input and output are its own; then this does not return.
///
/// # Errors
/// As [`command`].
pub fn run(lab: &SharedKafka, name: &str, arguments: &[String]) -> Result<ExitStatus> {
    let mut command = command(lab, name, arguments)?;
    let failed = || format!("{name} could not be started");
    if !ends_with_input(lab, name) {
        return Err(command.exec()).with_context(failed);
    }
    // We hold the other end of its input until it has ended, or until we end.
    let mut child = command.stdin(Stdio::piped()).spawn().with_context(failed)?;
    let _held = child.stdin.take();
    Ok(child.wait()?)
}

/// In a container a tool would outlive us: `docker exec` passes no signal on. With a terminal it gets one of its own;
/// without, a tool that reads no input is ended when our end of its input closes.
fn ends_with_input(lab: &SharedKafka, name: &str) -> bool {
    let in_container = matches!(lab.place(), Place::Docker { .. });
    in_container && name == "kafka-console-consumer" && !has_terminal()
}

fn has_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

fn rename(tool: &str, argument: &mut String) {
    let (option, value) = match argument.split_once('=') {
        Some((option, value)) => (option, Some(value)),
        None => (argument.as_str(), None),
    };
    let renamed = RENAMED
        .iter()
        .find(|(of, old, _)| *of == tool && *old == option);
    if let Some((_, _, new)) = renamed {
        *argument = match value {
            Some(value) => format!("{new}={value}"),
            None => (*new).to_string(),
        };
    }
}

fn script(name: &str) -> String {
    format!("/opt/kafka/bin/{name}.sh")
}

fn in_jvm(java: &Java, class: &str, arguments: &[String]) -> Result<Command> {
    let prepared = Prepared::get(&Cache::open()?, java.clone())?;
    let mut command = Command::new(&java.path);
    command
        .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .arg(define(
            "log4j2.configurationFile",
            &prepared.tools_logging(),
        ))
        .args(["-cp", &prepared.class_path, class])
        .args(arguments);
    Ok(command)
}

fn in_container(
    docker: &Docker,
    container: &str,
    ends_with_input: bool,
    name: &str,
    arguments: &[String],
) -> Command {
    let mut command = docker.command();
    command.args(["exec", if has_terminal() { "-it" } else { "-i" }, container]);
    if ends_with_input {
        command.args(["sh", "-c", END_WITH_INPUT]);
    }
    command.arg(script(name)).args(arguments);
    command
}

const END_WITH_INPUT: &str = r#"exec 3<&0
"$0" "$@" </dev/null 3<&- &
tool=$!
(cat <&3 >/dev/null; kill $tool) 2>/dev/null &
wait $tool"#;
