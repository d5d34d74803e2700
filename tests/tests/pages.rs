//! The pages that commands write, opened in a browser.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use judge::holes::{FILES, filled};
use judge::{Judged, Report, Verdict, all_checks};
use libtest_mimic::Trial;
use pages::class_page;
use tempfile::TempDir;

use crate::command_line::{CommandLine, text};
use crate::{browser, busy_trial, trial};

/// A test's name, how many things it does at the same time, and its function.
type Test = (&'static str, u32, fn() -> Result<()>);

const TESTS: &[Test] = &[
    ("pages::the_demo_as_it_happened", 2, demo),
    ("pages::a_review_and_a_class", 4, review),
    ("pages::a_large_class", 2, large_class),
    ("pages::a_failed_check", 2, check),
    ("pages::where_the_seconds_went", 2, profile),
];

pub fn trials() -> Vec<Trial> {
    let tests = TESTS
        .iter()
        .map(|(name, seats, test)| match browser::missing() {
            None => busy_trial(name, *seats, test),
            Some(missing) => trial(name, test).with_kind(missing).with_ignored_flag(true),
        });
    tests.collect()
}

fn demo() -> Result<()> {
    let folder = TempDir::new()?;
    let page = folder.path().join("demo.html");
    CommandLine::new()?.run(&format!("demo 4 --report {}", page.display()))?;
    let text = fs::read_to_string(&page)?;
    // The second run waits for the session of the first run, and begins at the same offset.
    ensure_says(
        &text,
        &[
            "consumer_crash, run 2",
            "still the owner until its session times out",
            "are sent again",
        ],
    )?;
    browser::look(&[page])
}

/// Three submissions: one that commits by a timer, the unchanged starter, and a file that is not a submission.
fn review() -> Result<()> {
    let class = TempDir::new()?;
    let auto_commit = class.path().join("auto commit & more");
    let starter = class.path().join("starter");
    for file in FILES {
        let hole = |open: u32| move |hole: u32| hole != open;
        let open = if file.starts_with("consumer/") { 1 } else { 0 };
        write(&auto_commit.join(file), &filled(file, hole(open))?)?;
        write(&starter.join(file), &filled(file, |_| false)?)?;
    }
    let garbage = class.path().join("garbage.zip");
    fs::write(&garbage, "this is no archive")?;
    let out = class.path().join("out");
    let output = CommandLine::new()?
        .command("review --jobs 2 --out")
        .arg(&out)
        .args([&auto_commit, &starter, &garbage])
        .output()?;
    ensure!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let page = out.join("auto commit & more/review.html");
    ensure_says(
        &fs::read_to_string(&page)?,
        &[
            "commits only what it has processed",
            "What happened",
            "committed p",
            "enable.auto.commit",
            "lines as in the starter",
            "<details class=\"whole\"><summary><h2><span class=\"sign\">✓ </span>Task 1.",
            "Hole 2, as in the solution",
        ],
    )?;
    let index = out.join("index.html");
    ensure_says(
        &fs::read_to_string(&index)?,
        &[
            "3 submissions",
            "auto%20commit%20%26%20more/review.html",
            "garbage",
        ],
    )?;
    ensure_links_lead_somewhere(&index)?;
    ensure_what_failed_comes_first(&fs::read_to_string(&page)?)?;
    browser::look(&[page, out.join("garbage/review.html"), index])
}

/// The page of a class whose tables are longer and wider than a screen. Each submission passes other checks, and some have long names.
fn large_class() -> Result<()> {
    let mut reports = Vec::new();
    for number in 0..40_usize {
        let checks = all_checks().enumerate().map(|(at, check)| {
            let verdict = if (number * 7 + at * number) % 11 < 8 {
                Verdict::Passed {
                    expected: String::new(),
                    saw: String::new(),
                }
            } else {
                Verdict::Failed {
                    expected: String::new(),
                    saw: String::new(),
                    hint: String::new(),
                }
            };
            Judged::new(check, check.task > 4, verdict, Vec::new())
        });
        let name = if number % 10 == 0 {
            format!("{number}_of_a_student_with_a_long_name_and_a_number_{number}")
        } else {
            format!("student{number}_assignment_2")
        };
        reports.push(Report::new(
            &name,
            Duration::from_secs(60),
            checks.collect(),
        ));
    }
    let folder = TempDir::new()?;
    let page = folder.path().join("index.html");
    fs::write(&page, class_page(&reports, "review.html"))?;
    browser::look(&[page])
}

fn check() -> Result<()> {
    let folder = TempDir::new()?;
    let programs = folder.path().join("programs");
    fs::create_dir(&programs)?;
    fs::write(
        programs.join("consumer_crash.py"),
        "print('<b>not a message</b>')\n",
    )?;
    let page = folder.path().join("check.html");
    CommandLine::new()?.run(&format!(
        "check 4 --programs {} --report {}",
        programs.display(),
        page.display()
    ))?;
    let text = fs::read_to_string(&page)?;
    ensure_says(
        &text,
        &[
            "processes fifteen messages, then dies",
            "&lt;b&gt;not a message",
        ],
    )?;
    ensure!(
        !text.contains("<b>not"),
        "the page does not escape what a program prints"
    );
    browser::look(&[page])
}

/// An empty folder, and a file that is not a submission.
fn profile() -> Result<()> {
    let class = TempDir::new()?;
    let (empty, garbage) = (class.path().join("empty"), class.path().join("garbage.zip"));
    fs::create_dir(&empty)?;
    fs::write(&garbage, "this is no archive")?;
    let page = class.path().join("profile.html");
    let output = CommandLine::new()?
        .command("grade --profile")
        .args([&page, &empty, &garbage])
        .output()?;
    text(&output)?;
    ensure_says(
        &fs::read_to_string(&page)?,
        &[
            "until it had a broker",
            "Task 6. Exactly once",
            "none of its programs was judged",
        ],
    )?;
    browser::look(&[page])
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::create_dir_all(file.parent().context("the path has no folder")?)?;
    Ok(fs::write(file, text)?)
}

fn ensure_says(page: &str, words: &[&str]) -> Result<()> {
    for words in words {
        ensure!(page.contains(words), "the page does not say `{words}`");
    }
    Ok(())
}

/// Only task 2 fails, because of its first hole. The page says so above all verdicts and code, with links to both.
fn ensure_what_failed_comes_first(page: &str) -> Result<()> {
    let first = page.split("<section id=\"task-").next();
    let first = first.context("the page has no tasks")?;
    ensure_says(
        first,
        &["Task 2. Consumer", "consumer/src/main.rs", "hole 1<"],
    )?;
    for words in ["Task 1. ", "producer/src/main.rs", "hole 2<"] {
        ensure!(!first.contains(words), "`{words}` is no failure: {first}");
    }
    for link in page.split("href=\"#").skip(1) {
        let id = link.split('"').next().unwrap_or_default();
        let targets = page.matches(&format!("id=\"{id}\"")).count();
        ensure!(targets == 1, "the link #{id} has {targets} targets");
    }
    Ok(())
}

fn ensure_links_lead_somewhere(index: &Path) -> Result<()> {
    let text = fs::read_to_string(index)?;
    let folder = index.parent().context("the path has no folder")?;
    for link in text.split("href=\"").skip(1) {
        let link = link.split('"').next().unwrap_or_default();
        let path = percent_encoding::percent_decode_str(link).decode_utf8()?;
        ensure!(
            link == "data:," || folder.join(&*path).exists(),
            "there is no file for the link {link}"
        );
    }
    Ok(())
}
