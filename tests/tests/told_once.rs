//! A reason that several checks share is told once: in the terminal and on the page of a review.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use broker::run;
use judge::holes::{FILES, filled};
use judge::{Report, all_checks};
use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::command_line::{CommandLine, text};
use crate::{busy_trial, trial};

/// The longest wait for a submission that needs no broker.
const LIMIT: Duration = Duration::from_secs(120);

pub fn trials() -> Vec<Trial> {
    vec![
        trial("told_once::what_is_missing_needs_no_kafka", missing),
        busy_trial("told_once::what_does_not_compile", 2, does_not_compile),
        trial("told_once::what_ends_at_once", ends_at_once),
    ]
}

/// No Kafka can be started here.
fn missing() -> Result<()> {
    let folder = TempDir::new()?;
    let empty = folder.path().join("empty");
    fs::create_dir(&empty)?;
    let lab = CommandLine::new()?;
    let grade = |words: &str| -> Result<String> {
        let mut grade = lab.command(&format!("grade {words}"));
        let no_docker = [
            ("KAFKA_LAB_BROKER", "docker"),
            ("DOCKER_HOST", "unix:///nobody"),
        ];
        text(&run(grade.arg(&empty).envs(no_docker), LIMIT)?)
    };
    let report: Report = serde_json::from_str(&grade("--json")?)?;
    ensure!(report.score == 0 && report.is_judged(), "{report:?}");
    let printed = grade("")?;
    ensure!(printed.matches('✗').count() == 2, "{printed}");
    ensure!(
        printed.contains("billing and exactly_once were not submitted"),
        "{printed}"
    );
    let all = format!("{} checks of tasks 1, 2", all_checks().count());
    ensure!(printed.contains(&all), "{printed}");
    Ok(())
}

/// One program gives a library a value of a wrong type, and two programs share a file with an error. Nothing else is submitted.
fn does_not_compile() -> Result<()> {
    let folder = TempDir::new()?;
    let student = folder.path().join("student");
    for file in FILES.iter().filter(|file| file.starts_with("consumer/")) {
        let wrong = filled(file, |_| true)?.replace("SESSION_TIMEOUT_MS)", "10_000)");
        write(&student.join(file), &wrong)?;
    }
    let member = "pub fn member() -> u32 { \"three\" }\n";
    write(&student.join("consumer_group_a/src/member.rs"), member)?;
    for (program, path) in [
        ("a", "member.rs"),
        ("b", "../../consumer_group_a/src/member.rs"),
    ] {
        let main =
            format!("#[path = \"{path}\"]\nmod member;\nfn main() {{ member::member(); }}\n");
        write(
            &student.join(format!("consumer_group_{program}/src/main.rs")),
            &main,
        )?;
    }
    let page = folder.path().join("page.html");
    let lab = CommandLine::new()?;
    let printed = text(&run(lab.command("grade").arg(&student), LIMIT)?)?;
    text(&run(
        lab.command("review --out").args([&page, &student]),
        LIMIT,
    )?)?;
    let page = fs::read_to_string(&page)?;
    for (told, times) in [
        ("the trait bound", 1),
        ("consumer/src/main.rs:", 1),
        ("rdkafka-", 1),
        ("mismatched types", 1),
        ("registry", 0),
        ("scratch", 0),
    ] {
        for text in [&printed, &page] {
            let found = text.matches(told).count();
            ensure!(found == times, "{found} times `{told}`: {text}");
        }
    }
    for text in [&printed, &page] {
        ensure!(text.contains("consumer does not compile"), "{text}");
        ensure!(
            text.contains("consumer_group_a and consumer_group_b do not compile"),
            "{text}"
        );
    }
    // The carets are below what they point at, because the lines keep their spaces.
    let aligned = page.split("<pre class=\"printed\"").nth(1);
    let aligned = aligned.context("the compiler's message is not preformatted")?;
    ensure!(aligned.contains("\n    |"), "{aligned}");
    Ok(())
}

/// A program whose library is missing.
fn ends_at_once() -> Result<()> {
    let folder = TempDir::new()?;
    let script = "import a_library_that_nobody_has\n";
    fs::write(folder.path().join("producer.py"), script)?;
    let printed =
        CommandLine::new()?.run(&format!("check 1 --programs {}", folder.path().display()))?;
    ensure!(printed.matches("No module named").count() == 1, "{printed}");
    ensure!(
        printed.contains("producer ends at once (0 of 33 points; 13 checks of task 1)"),
        "{printed}"
    );
    ensure!(
        printed.contains("File \"producer.py\", line 1"),
        "{printed}"
    );
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::create_dir_all(file.parent().context("the path has no folder")?)?;
    Ok(fs::write(file, text)?)
}
