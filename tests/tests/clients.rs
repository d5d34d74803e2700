//! Right programs in other clients and languages get all points: the judge looks only at what a program does.
//!
//! Each folder of `tests/clients` has the programs of one client, and a script that builds them. Only
//! `--include-ignored` builds and judges them, because their packages have to be downloaded.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use broker::{find_on_path, last_lines, run};
use judge::programs::workspace;
use judge::{Submission, TASKS, Task};
use libtest_mimic::Trial;

use crate::bank::{expect, judge};
use crate::{busy_trial, trial};

/// The longest wait for a build, with all its downloads.
const BUILD_LIMIT: Duration = Duration::from_secs(900);

/// A client, by the name of its folder.
struct Client {
    folder: &'static str,
    /// The file that pins its version, and the text there that stands before the version.
    pinned: (&'static str, &'static str),
    needs: &'static [Tool],
}

/// A tool that a build needs: its executable, and how to install it.
type Tool = (&'static str, &'static str);

const CC: Tool = (
    "cc",
    "needs a C compiler (Debian: `apt-get install build-essential`)",
);
const GO: Tool = (
    "go",
    "needs Go 1.26 or later (see Go's own page of downloads; Debian: `apt-get install golang`, if it is that new)",
);
const JAVA: Tool = (
    "javac",
    "needs a JDK, 17 or later (Debian: `apt-get install openjdk-17-jdk-headless`)",
);
const MAVEN: Tool = ("mvn", "needs Maven (Debian: `apt-get install maven`)");
const NODE: Tool = (
    "npm",
    "needs Node 20 or later and npm (Debian: `apt-get install npm`)",
);
const PYTHON: Tool = (
    "python3",
    "needs Python 3 with venv and pip (Debian: `apt-get install python3-venv`)",
);

const CLIENTS: &[Client] = &[
    Client {
        folder: "aiokafka",
        pinned: ("requirements.txt", "aiokafka=="),
        needs: &[PYTHON],
    },
    Client {
        folder: "confluent-kafka-go",
        pinned: ("go.mod", "github.com/confluentinc/confluent-kafka-go/v2 v"),
        needs: &[GO, CC],
    },
    Client {
        folder: "confluent-kafka-rust",
        pinned: ("Cargo.toml", "confluent-kafka = { version = \"="),
        needs: &[CC],
    },
    Client {
        folder: "franz-go",
        pinned: ("go.mod", "github.com/twmb/franz-go v"),
        needs: &[GO, CC],
    },
    Client {
        folder: "java-kafka-clients",
        pinned: ("pom.xml", "<kafka.version>"),
        needs: &[JAVA, MAVEN],
    },
    Client {
        folder: "kafka-python",
        pinned: ("requirements.txt", "kafka-python=="),
        needs: &[PYTHON],
    },
    Client {
        folder: "kafkajs",
        pinned: ("package.json", "\"kafkajs\": \""),
        needs: &[NODE],
    },
    Client {
        folder: "sarama",
        pinned: ("go.mod", "github.com/IBM/sarama v"),
        needs: &[GO, CC],
    },
];

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("clients::every_folder_is_judged", every_folder_is_judged),
        trial(
            "clients::the_table_in_docs_has_their_versions",
            table_is_kept,
        ),
    ];
    trials.extend(CLIENTS.iter().map(|client| {
        let name = format!("clients::{}", client.folder);
        let trial = busy_trial(&name, 4, || gets_all_points(client)).with_ignored_flag(true);
        match client.missing() {
            None => trial,
            Some(missing) => trial.with_kind(missing),
        }
    }));
    trials
}

/// What the builds need and this machine lacks.
pub fn missing() -> Vec<String> {
    let missing = CLIENTS.iter().filter_map(|client| {
        let missing = client.missing()?;
        Some(format!("clients::{} {missing}", client.folder))
    });
    missing.collect()
}

impl Client {
    fn source(&self) -> PathBuf {
        workspace().join("tests/clients").join(self.folder)
    }

    fn missing(&self) -> Option<&'static str> {
        let missing = self
            .needs
            .iter()
            .find(|(tool, _)| find_on_path(tool).is_none());
        missing.map(|(_, install)| *install)
    }

    /// The version that its folder pins.
    fn version(&self) -> Result<String> {
        let (file, before) = self.pinned;
        let text = fs::read_to_string(self.source().join(file))?;
        let (_, rest) = text
            .split_once(before)
            .with_context(|| format!("{file} of {} does not contain `{before}`", self.folder))?;
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        Ok(rest.chars().take_while(|c| is_part(*c)).collect())
    }
}

/// Builds a client's programs and judges all of its tasks.
fn gets_all_points(client: &Client) -> Result<()> {
    if let Some(missing) = client.missing() {
        bail!("{} {missing}", client.folder);
    }
    let out = tempfile::tempdir()?;
    let mut build = Command::new(client.source().join("build.sh"));
    let output = run(build.arg(out.path()), BUILD_LIMIT)?;
    ensure!(
        output.status.success(),
        "{} was not built:\n{}\n{}",
        client.folder,
        last_lines(&output.stdout, 20),
        last_lines(&output.stderr, 20)
    );
    let tasks = tasks_of(out.path())?;
    ensure!(!tasks.is_empty(), "{} has no programs", client.folder);
    expect(&judge(&Submission::in_folder(out.path())?, &tasks), &[])
}

/// The tasks that have programs in this folder.
fn tasks_of(folder: &Path) -> Result<Vec<&'static Task>> {
    let mut tasks = Vec::new();
    for task in TASKS {
        let there = |program: &&str| {
            let names = [(*program).to_string(), format!("{program}.py")];
            names.iter().any(|name| folder.join(name).is_file())
        };
        let programs = task.programs.iter().copied();
        match programs.filter(there).count() {
            0 => {}
            count if count == task.programs.len() => tasks.push(task),
            _ => bail!("only some of the programs {:?} were built", task.programs),
        }
    }
    Ok(tasks)
}

/// Nobody adds a client and forgets to judge it.
fn every_folder_is_judged() -> Result<()> {
    for entry in fs::read_dir(workspace().join("tests/clients"))? {
        let folder = entry?.file_name().to_string_lossy().into_owned();
        ensure!(
            CLIENTS.iter().any(|client| client.folder == folder),
            "tests/clients/{folder} is not in CLIENTS"
        );
    }
    for client in CLIENTS {
        let script = client.source().join("build.sh");
        let mode = fs::metadata(&script)
            .with_context(|| script.display().to_string())?
            .permissions()
            .mode();
        ensure!(mode & 0o111 != 0, "{} is not executable", script.display());
    }
    Ok(())
}

/// The first table in docs/clients.md has a row for each client, which begins with its folder and its version.
fn table_is_kept() -> Result<()> {
    let page = fs::read_to_string(workspace().join("docs/clients.md"))?;
    let (_, table) = page
        .split_once("| client | version |")
        .context("docs/clients.md has no table of clients and versions")?;
    let table = table.lines().skip(2).take_while(|line| !line.is_empty());
    let mut rows = BTreeMap::new();
    for line in table {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, client, version, ..] = cells[..] else {
            bail!("this row is too short: {line}");
        };
        rows.insert(client.to_string(), version.to_string());
    }
    let mut pinned = BTreeMap::new();
    for client in CLIENTS {
        pinned.insert(client.folder.to_string(), client.version()?);
    }
    ensure!(
        rows == pinned,
        "docs/clients.md has the versions {rows:?}, but the folders in tests/clients pin {pinned:?}"
    );
    Ok(())
}
