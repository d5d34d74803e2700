//! `servers.jar` holds what `Servers.java` says. It is kept in the repository because students may have a Java without a compiler.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use broker::{Cache, DEFAULT_VERSION, last_lines, run};
use judge::programs::workspace;
use libtest_mimic::Trial;

use crate::trial;

/// How long `javac` or `jar` may take.
const LIMIT: Duration = Duration::from_secs(120);

const SOURCE: &str = "lab/broker/kafka/Servers.java";
const JAR: &str = "lab/broker/kafka/servers.jar";
const CLASS: &str = "Servers.class";

pub fn trials() -> Vec<Trial> {
    let trial = trial(
        "servers_jar::is_what_its_source_says",
        is_what_its_source_says,
    );
    vec![trial.with_ignored_flag(true)]
}

fn is_what_its_source_says() -> Result<()> {
    let jars = Cache::open()?
        .run()
        .with_file_name(format!("jars-{DEFAULT_VERSION}"));
    let (compiled, kept) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let class_path = format!("{}/*", jars.display());
    // Without names of lines and variables, every Java 17 makes the same file.
    let mut javac = Command::new("javac");
    javac.args(["--release", "17", "-g:none", "-cp", &class_path, "-d"]);
    succeed(javac.arg(compiled.path()).arg(workspace().join(SOURCE)))?;
    let mut jar = Command::new("jar");
    jar.arg("xf")
        .arg(workspace().join(JAR))
        .current_dir(kept.path());
    succeed(&mut jar)?;
    let read = |folder: &Path| fs::read(folder.join(CLASS)).context(CLASS);
    ensure!(
        fs::read_dir(compiled.path())?.count() == 1 && read(compiled.path())? == read(kept.path())?,
        "{JAR} is not what `javac` of Java 17 makes of {SOURCE}. Make it anew, with the Java on your PATH:\n  \
         javac --release 17 -g:none -cp '{class_path}' -d FOLDER {SOURCE}\n  \
         jar --create --date 2026-01-01T00:00:00Z --no-manifest --file {JAR} -C FOLDER {CLASS}"
    );
    Ok(())
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = run(command, LIMIT)
        .context("this test needs a JDK 17 (Debian: openjdk-17-jdk-headless)")?;
    ensure!(
        output.status.success(),
        "{command:?}\n{}",
        last_lines(&output.stderr, 10)
    );
    Ok(())
}
