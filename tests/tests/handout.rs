//! The workspace that students get contains no solutions, and works on its own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use judge::programs::{cargo, workspace};
use libtest_mimic::Trial;
use serde_json::json;
use tempfile::TempDir;

use crate::command_line::{CommandLine, text};
use crate::formats::{classroom50_schema, valid};
use crate::{busy_trial, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("handout::holds_no_solutions", no_solutions),
        trial("handout::keeps_its_line_ends_on_windows", line_ends),
        busy_trial("handout::judges_the_students_own_programs", 2, judges),
        trial("handout::gradescope_archive_holds_the_two_scripts", archive),
        busy_trial("handout::classroom50_folder_grades", 2, classroom50),
    ]
}

fn exported() -> Result<TempDir> {
    let folder = TempDir::new()?;
    CommandLine::new()?.run(&format!("export {}", folder.path().display()))?;
    Ok(folder)
}

fn no_solutions() -> Result<()> {
    let folder = exported()?;
    for gone in [
        "solutions",
        "tests/bank",
        "lab/grading",
        "tests/misconceptions",
        "tests/attacks",
        "tests/clients",
        "docs/misconceptions.md",
    ] {
        ensure!(
            !folder.path().join(gone).exists(),
            "{gone} is in the handed-out workspace, but must not be"
        );
    }
    // There is not even one line of a solution. The code that fills a hole begins with this comment.
    let found = Command::new("grep")
        .arg("-rl")
        .arg("// SOLUTION(")
        .arg(folder.path())
        .output()?;
    ensure!(
        found.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&found.stdout)
    );
    for there in [
        "README.md",
        ".github/workflows/ci.yml",
        "docs/task1-producer.md",
        "producer/src/main.rs",
    ] {
        ensure!(
            folder.path().join(there).exists(),
            "{there} is missing in the handed-out workspace"
        );
    }
    let again = CommandLine::new()?
        .command(&format!("export {}", folder.path().display()))
        .output()?;
    ensure!(
        !again.status.success(),
        "a second export wrote over the first one"
    );
    Ok(())
}

/// Git for Windows changes line ends when it checks out files, and then no shell script runs in WSL or in a container.
fn line_ends() -> Result<()> {
    let folder = exported()?;
    let checkout = TempDir::new()?;
    let script = "cd \"$0\" && git init -q && git add -A &&
        git -c user.name=lab -c user.email=lab@localhost commit -qm handout &&
        git -c core.autocrlf=true clone -q . \"$1\"";
    let mut git = Command::new("sh");
    git.args(["-c", script])
        .args([folder.path(), checkout.path()]);
    text(&git.output()?)?;
    for script in [
        "lab/broker/kafka/keep.sh",
        "lab/broker/kafka/bin/kafka-topics",
    ] {
        let bytes = fs::read(checkout.path().join(script))?;
        ensure!(!bytes.contains(&b'\r'), "{script} has line ends of Windows");
    }
    Ok(())
}

fn judges() -> Result<()> {
    // The folder is always the same, and its build results are kept. So Cargo builds only what has changed.
    let all = workspace().join("target/handout");
    let folder = all.join("workspace");
    let (kept, target) = (all.join("target"), folder.join("target"));
    if target.exists() {
        if kept.exists() {
            fs::remove_dir_all(&kept)?;
        }
        fs::rename(&target, &kept)?;
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&all)?;
    CommandLine::new()?.run(&format!("export {}", folder.display()))?;
    if kept.exists() {
        fs::rename(&kept, &target)?;
        // A new student has not asked for any hints.
        let _ = fs::remove_file(target.join("lab/progress.json"));
    } else {
        let lock = fs::read_to_string(folder.join("Cargo.lock"))?;
        grading::take_over(&lock, &["tests", "cli"], &target)?;
    }
    let of_checks = ["test", "--package", "tests", "--test", "lab", "--"];
    let test = |name| in_folder(&folder, &[&of_checks[..], &[name]].concat());
    // The starter of task 4 has no holes, so it passes.
    let passes = test("crash.")?;
    ensure!(passes.contains("4 passed; 0 failed"), "{passes}");
    let fails = test("producer.publishes")?;
    ensure!(
        fails.contains("0 passed; 1 failed")
            && fails.contains("100 events in the topic clickstream"),
        "{fails}"
    );

    let hint = || {
        in_folder(
            &folder,
            &["run", "--quiet", "--package", "cli", "--", "hint", "1"],
        )
    };
    let check = || {
        in_folder(
            &folder,
            &["run", "--quiet", "--package", "cli", "--", "check", "4"],
        )
    };
    let as_handed_out = check()?;
    ensure!(
        as_handed_out.contains("12 of 12 points") && !as_handed_out.contains("Not graded"),
        "{as_handed_out}"
    );
    let manifest = folder.join("consumer_crash/Cargo.toml");
    let changed = fs::read_to_string(&manifest)? + "anyhow.workspace = true\n";
    fs::write(&manifest, changed)?;
    fs::write(folder.join("consumer_crash/notes.txt"), "")?;
    let warned = check()?;
    ensure!(
        warned.contains("12 of 12 points")
            && warned.contains("Not graded: consumer_crash/Cargo.toml, consumer_crash/notes.txt."),
        "{warned}"
    );

    let (first, second) = (hint()?, hint()?);
    ensure!(first.contains("Hint 1 of 6"), "{first}");
    ensure!(second.contains("Hint 2 of 6"), "{second}");
    Ok(())
}

/// Runs Cargo in a workspace, with that workspace's own target folder. In a shared one, Cargo would mix up workspaces
/// whose packages have the same names.
fn in_folder(folder: &Path, words: &[&str]) -> Result<String> {
    let mut cargo = cargo(words[0]);
    let output = cargo
        .current_dir(folder)
        .args(&words[1..])
        .env_remove("CARGO_TARGET_DIR")
        .output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn archive() -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("autograder.zip");
    CommandLine::new()?.run(&format!("package gradescope {}", file.display()))?;
    let mut archive = zip::ZipArchive::new(fs::File::open(file)?)?;
    for script in ["setup.sh", "run_autograder"] {
        let entry = archive.by_name(script)?;
        ensure!(
            entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0),
            "{script} in the archive is not executable"
        );
    }
    ensure!(
        archive.by_name("lab/Cargo.toml").is_ok(),
        "the archive does not contain the lab"
    );
    Ok(())
}

/// The script of the folder for Classroom 50 does what the platform expects: it is started in the checkout and writes `result.json`
/// there. To build the lab takes minutes, so the `cargo` and the `pip` in this test only pretend to have done their work.
fn classroom50() -> Result<()> {
    const LARGEST: u64 = 10 << 20;
    let scratch = TempDir::new()?;
    let [bundle, checkout, bin] = ["bundle", "jane", "bin"].map(|name| scratch.path().join(name));
    let lab = CommandLine::new()?;
    lab.run(&format!("package classroom50 {}", bundle.display()))?;

    let archive = scratch.path().join("bundle.tar.gz");
    let mut tar = Command::new("tar");
    tar.arg("-czf")
        .arg(&archive)
        .arg("-C")
        .arg(&bundle)
        .arg(".");
    ensure!(tar.status()?.success(), "tar failed");
    let size = fs::metadata(&archive)?.len();
    ensure!(size < LARGEST, "the bundle has {size} bytes");

    let version = json!({"type": "string", "pattern": "^[A-Za-z0-9._+-]{1,32}$"});
    let runtime = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "runs-on": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"},
            "python": version,
            "java": version,
            "rust": version,
            "apt": {"type": "array", "items": {"type": "string", "pattern": "^[a-z0-9][a-z0-9.+-]{0,63}$"}},
        },
    });
    valid(&runtime, &fs::read_to_string(bundle.join("runtime.json"))?)?;

    let grading = lab.command("grade").get_program().to_owned();
    let built = bundle.join("lab/target/debug");
    for (folder, name, script) in [
        (&bin, "cargo", "true".to_string()),
        (
            &built,
            "lab-grading",
            format!("exec {} \"$@\"", Path::new(&grading).display()),
        ),
        (&checkout, "producer", "true".to_string()),
    ] {
        fs::create_dir_all(folder)?;
        fs::write(folder.join(name), format!("#!/bin/sh\n{script}\n"))?;
        fs::set_permissions(folder.join(name), Permissions::from_mode(0o755))?;
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new(bank::python::interpreter()?)
        .arg(bundle.join("autograder.py"))
        .current_dir(&checkout)
        .env("PATH", format!("{}:{path}", bin.display()))
        .envs([
            ("CLASSROOM", "big-data"),
            ("ASSIGNMENT", "kafka"),
            ("ASSIGNMENT_TYPE", "group"),
            ("OWNER", "jane"),
            ("SUBMISSION_TAG", "submit/2026-06-01T14-32-05Z-a1b2c3d"),
            (
                "COMMIT_URL",
                "https://github.com/course/jane/commit/a1b2c3d",
            ),
        ])
        .output()?;
    text(&output)?;
    let result = fs::read_to_string(checkout.join("result.json"))?;
    let result = valid(&classroom50_schema(), &result)?;
    for (field, wanted) in [
        ("classroom", "big-data"),
        ("assignment", "kafka"),
        ("assignment_type", "group"),
        ("owner", "jane"),
    ] {
        ensure!(result[field] == wanted, "{field} in {result}");
    }
    ensure!(
        result["score"] == 0 && result["max-score"] == 100,
        "{result}"
    );
    Ok(())
}
