//! Kafka's own command-line tools, with the names and the arguments that are on the slides.

use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

use crate::prepare::prepare;
use crate::shared::{Place, SharedKafka};
use crate::version::{image, number};
use crate::{Cache, Docker, Java};

/// The tools: the name and the main class of each.
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
    ("kafka-configs", CONFIGS),
    ("kafka-get-offsets", "org.apache.kafka.tools.GetOffsetShell"),
];

/// A main class that has another name before Kafka 4.4.
const CONFIGS: &str = "org.apache.kafka.tools.ConfigCommand";
const CONFIGS_BEFORE_4_4: &str = "kafka.admin.ConfigCommand";
const SINCE_4_4: (u32, u32) = (4, 4);

/// The options that Kafka 4 renamed: the tool, the name on the slides, and the new name. Kafka still accepts the old names. But
/// then it prints a warning on *standard output*, among the messages.
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

/// The options of older books and slides that Kafka 4 no longer has, for one tool or for all, and what to do instead. With one of
/// them, a tool prints up to 160 lines, of which only the first says what is wrong.
const REMOVED: &[(Option<&str>, &str, &str)] = &[
    (
        None,
        "--zookeeper",
        "Kafka runs without ZooKeeper now. Use --bootstrap-server, or leave it out: then the lab adds it",
    ),
    (
        None,
        "--broker-list",
        "Use --bootstrap-server, or leave it out: then the lab adds it",
    ),
    (
        None,
        "--new-consumer",
        "Leave it out: every consumer is a new one now",
    ),
    (
        Some("kafka-console-consumer"),
        "--whitelist",
        "Use --include",
    ),
    (
        Some("kafka-topics"),
        "--delete-config",
        "Use kafka-configs --alter --entity-type topics --entity-name TOPIC --delete-config NAME",
    ),
];

/// The names of the tools.
pub fn names() -> impl Iterator<Item = &'static str> {
    TOOLS.iter().map(|(name, _)| *name)
}

/// The command that runs the tool `name` on this Kafka: in Kafka's container, or in a JVM on this machine. Adds
/// `--bootstrap-server` if it is missing.
///
/// # Errors
/// If there is no such tool, if it no longer has one of these options, or if there is neither Java nor Docker to run it.
pub fn command(kafka: &SharedKafka, name: &str, arguments: &[String]) -> Result<Command> {
    let Some((_, class)) = TOOLS.iter().find(|(tool, _)| *tool == name) else {
        let known: Vec<_> = names().collect();
        bail!(
            "there is no tool `{name}`. The tools are {}",
            known.join(", ")
        );
    };
    if let Some((option, instead)) = removed(name, arguments) {
        bail!("Kafka 4 no longer has the option {option}. {instead}");
    }
    let mut all = arguments.to_vec();
    for argument in &mut all {
        rename(name, argument);
    }
    let given = |argument: &String| argument.split('=').next() == Some("--bootstrap-server");
    if !all.iter().any(given) {
        all.extend(["--bootstrap-server".to_string(), kafka.bootstrap.clone()]);
    }
    match kafka.place() {
        Place::Docker { docker, container } => {
            let ends_with_input = ends_with_input(kafka, name);
            Ok(in_container(docker, container, ends_with_input, name, &all))
        }
        Place::Jvm(_) => in_jvm(&Java::find()?, class, &all),
        Place::Yours => match (Java::find(), Docker::find()) {
            (Ok(java), _) => in_jvm(&java, class, &all),
            (_, Ok(docker)) => {
                let mut command = docker.command();
                command.args(["run", "--rm", "-i", "--network", "host", image()]);
                command.arg(script(name)).args(&all);
                Ok(command)
            }
            (Err(no_java), Err(no_docker)) => {
                bail!("{name} needs Java or Docker.\n- Java: {no_java:#}\n- Docker: {no_docker:#}")
            }
        },
    }
}

/// Runs the tool `name` in this terminal, and returns its exit status. If possible, the tool replaces this process, so it gets
/// Ctrl-C and our input and output. Then this does not return.
///
/// # Errors
/// If there is no such tool, if it no longer has one of these options, if there is neither Java nor Docker to run it, or if it
/// cannot be started.
pub fn run(kafka: &SharedKafka, name: &str, arguments: &[String]) -> Result<ExitStatus> {
    let mut command = command(kafka, name, arguments)?;
    let failed = || format!("{name} could not be started");
    if !ends_with_input(kafka, name) {
        return Err(command.exec()).with_context(failed);
    }
    // We keep the other end of its input open until the tool has ended, or until we end.
    let mut child = command.stdin(Stdio::piped()).spawn().with_context(failed)?;
    let _held = child.stdin.take();
    Ok(child.wait()?)
}

/// Whether the tool must end when its input closes.
///
/// In a container, a tool would continue after we have ended, because `docker exec` does not pass on signals. If we have a
/// terminal, the tool gets a terminal of its own, and Ctrl-C there ends it. Otherwise, a tool that reads no input must end when
/// our end of its input closes.
fn ends_with_input(kafka: &SharedKafka, name: &str) -> bool {
    let in_container = matches!(kafka.place(), Place::Docker { .. });
    in_container && name == "kafka-console-consumer" && !has_terminal()
}

fn has_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// The first of these arguments that is one of the [`REMOVED`] options, and what to do instead.
fn removed(tool: &str, arguments: &[String]) -> Option<(&'static str, &'static str)> {
    arguments.iter().find_map(|argument| {
        let given = argument.split('=').next().unwrap_or_default();
        let (_, option, instead) = REMOVED
            .iter()
            .find(|(of, old, _)| *old == given && of.is_none_or(|of| of == tool))?;
        Some((*option, *instead))
    })
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

/// The command that runs one of Kafka's performance tests in a JVM on this machine, with the options of Kafka 4.4. `which` is
/// `Producer` or `Consumer`. Returns `None` if the lab's Kafka is older, because its options had other names.
///
/// # Errors
/// If there is no Java, or if Kafka's jars cannot be downloaded.
pub fn performance_test(which: &str) -> Result<Option<Command>> {
    let java = Java::find()?;
    let prepared = prepare(&Cache::open()?, java)?;
    if !is_4_4(&prepared.version) {
        return Ok(None);
    }
    let class = format!("org.apache.kafka.tools.{which}Performance");
    Ok(Some(prepared.tool(&[], &class)))
}

fn is_4_4(version: &str) -> bool {
    number(version).is_none_or(|number| number >= SINCE_4_4)
}

fn in_jvm(java: &Java, class: &str, arguments: &[String]) -> Result<Command> {
    let prepared = prepare(&Cache::open()?, java.clone())?;
    let class = if class == CONFIGS && !is_4_4(&prepared.version) {
        CONFIGS_BEFORE_4_4
    } else {
        class
    };
    let options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
    let mut command = prepared.tool(&options, class);
    command.args(arguments);
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

/// A shell script that runs a command, and kills it when standard input closes.
const END_WITH_INPUT: &str = r#"exec 3<&0
"$0" "$@" </dev/null 3<&- &
tool=$!
(cat <&3 >/dev/null; kill $tool) 2>/dev/null &
wait $tool"#;

#[cfg(test)]
mod tests {
    use super::removed;

    #[test]
    fn options_of_old_books_are_recognized() {
        let removed = |words: &str| {
            let words: Vec<String> = words.split(' ').map(ToString::to_string).collect();
            removed(&words[0], &words[1..]).map(|(option, _)| option)
        };
        assert_eq!(
            removed("kafka-topics --zookeeper=localhost:2181 --list"),
            Some("--zookeeper")
        );
        assert_eq!(
            removed("kafka-console-producer --topic a --broker-list b:9092"),
            Some("--broker-list")
        );
        assert_eq!(
            removed("kafka-topics --alter --delete-config retention.ms"),
            Some("--delete-config")
        );
        let still_there = "kafka-configs --alter --delete-config retention.ms";
        assert_eq!(removed(still_there), None);
    }
}
