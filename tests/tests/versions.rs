//! Other versions of Kafka than the one that the lab starts by itself.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use anyhow::{Result, ensure};
use broker::{Way, run};
use judge::programs::Version;
use libtest_mimic::Trial;
use serde_json::Value;

use crate::command_line::{CommandLine, LIMIT, text};
use crate::{busy_trial, programs, trial};

/// The oldest version, and the newest one before the lab's own. Maven downloads each once, 54 MB.
const OTHERS: &[&str] = &["4.0.0", "4.3.1"];

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![trial("versions::an_old_kafka_is_refused", old)];
    if matches!(Way::for_private(), Ok(Way::Jvm(_))) {
        trials.push(trial(
            "versions::a_java_that_makes_no_archive_is_prepared_once",
            no_archive,
        ));
        trials.extend(OTHERS.iter().map(|version| {
            let name = format!("versions::solutions_on_{version}");
            busy_trial(&name, 4, || solutions_on(version)).with_ignored_flag(true)
        }));
    }
    trials
}

fn old() -> Result<()> {
    let lab = CommandLine::new()?;
    let mut up = lab.command("up");
    let said = lab.refused(up.env("KAFKA_LAB_VERSION", "3.9.1"))?;
    ensure!(
        said.contains("3.9.1 is too old") && said.contains("4.0 or later"),
        "{said}"
    );
    Ok(())
}

/// The solutions get all points, and the slides' tools work.
fn solutions_on(version: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    for (name, path) in programs(Version::Solution)? {
        symlink(path, folder.path().join(name))?;
    }
    let lab = CommandLine::new()?;
    let on_version = |arguments: &str| {
        let mut command = lab.command(arguments);
        command.env("KAFKA_LAB_VERSION", version);
        text(&run(&mut command, LIMIT)?)
    };
    let report = on_version(&format!(
        "check --json --programs {}",
        folder.path().display()
    ))?;
    let report: Value = serde_json::from_str(&report)?;
    ensure!(report["score"] == 150, "{report:#}");

    let up = on_version("up")?;
    ensure!(up.contains(&format!("Kafka {version} in")), "{up}");
    let described =
        on_version("kafka-configs --describe --entity-type topics --entity-name clickstream")?;
    ensure!(described.contains("clickstream"), "{described}");
    Ok(())
}

/// Runs Java as a runtime from jlink does: without making an archive of Kafka's classes.
const WITHOUT_ARCHIVE: &str = r#"#!/bin/sh
for word do
    shift
    case $word in
    -XX:ArchiveClassesAtExit=* | -XX:AOTCacheOutput=*) ;;
    *) set -- "$@" "$word" ;;
    esac
done
exec java "$@"
"#;

fn no_archive() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let java = folder.path().join("jre/bin/java");
    fs::create_dir_all(java.with_file_name(""))?;
    fs::write(&java, WITHOUT_ARCHIVE)?;
    fs::set_permissions(&java, PermissionsExt::from_mode(0o755))?;
    let lab = CommandLine::new()?;
    let run_lab = |arguments: &str| {
        let mut command = lab.command(arguments);
        command
            .env("JAVA_HOME", folder.path().join("jre"))
            .env("KAFKA_LAB_CACHE", folder.path().join("cache"));
        let output = run(&mut command, LIMIT)?;
        text(&output)?;
        anyhow::Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let first = run_lab("up")?;
    run_lab("down")?;
    ensure!(
        first.contains("only once") && first.contains("makes no archive"),
        "the first start does not say what it prepares: {first}"
    );
    let second = run_lab("up")?;
    ensure!(
        !second.contains("only once"),
        "the second start prepares again: {second}"
    );
    Ok(())
}
