//! `cargo lab grade` for a class, as an instructor uses it. One test kills the grader while it works.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use broker::wait;
use judge::programs::{Version, workspace};
use judge::{Outcome, Program, Report, TASKS, all_checks};
use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::command_line::{CommandLine, text};
use crate::{busy_trial, programs, trial};

/// The longest wait for a result or for the grader's end, on a busy machine.
const LIMIT: Duration = Duration::from_secs(600);

/// How many times the grader is killed while it grades the class.
const KILLS: usize = 2;

pub fn trials() -> Vec<Trial> {
    vec![
        busy_trial("grade::a_killed_grader_goes_on_where_it_was", 4, killed),
        busy_trial(
            "grade::sources_are_built_and_compile_errors_are_verdicts",
            2,
            sources,
        ),
        trial("grade::what_is_no_submission_is_a_verdict", no_submission),
        busy_trial("grade::nobody_can_take_what_others_built", 2, theft),
        busy_trial("grade::the_profile_adds_up", 2, profile),
        trial("grade::a_build_meanwhile_changes_nothing", replaced),
        trial("grade::stops_at_its_deadline", deadline),
    ]
}

/// The first submission hangs, and there is no time left for the second one.
fn deadline() -> Result<()> {
    const SECONDS: u64 = 10;
    let class = TempDir::new()?;
    let folders = ["a_hangs", "b_waits"].map(|name| class.path().join(name));
    for folder in &folders {
        fs::create_dir(folder)?;
        let billing = folder.join("billing");
        fs::write(&billing, "#!/bin/sh\nexec sleep 1000\n")?;
        fs::set_permissions(&billing, PermissionsExt::from_mode(0o755))?;
    }
    let mut grade = CommandLine::new()?.command("grade --json --jobs 1 --deadline");
    let start = Instant::now();
    let output = grade.arg(SECONDS.to_string()).args(&folders).output()?;
    let took = start.elapsed();
    ensure!(output.status.code() == Some(3), "{output:?}");
    ensure!(took < Duration::from_secs(SECONDS + 20), "it took {took:?}");
    let printed = String::from_utf8(output.stdout)?;
    let reports: Vec<Report> = printed
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    ensure!(reports.len() == 2, "{printed}");
    for report in &reports {
        let of_billing = report.checks.iter().filter(|check| check.task == 5);
        for check in of_billing {
            ensure!(
                check.outcome == Outcome::NotJudged
                    && check.saw == format!("the deadline of {SECONDS} s was over"),
                "{check:?}"
            );
        }
    }
    Ok(())
}

/// Cargo replaces the grader's executable while the grader is running.
fn replaced() -> Result<()> {
    let folder = TempDir::new()?;
    let submission = folder.path().join("student");
    fs::create_dir(&submission)?;
    let crash = &programs(Version::Solution)?["consumer_crash"];
    fs::copy(crash, submission.join("consumer_crash"))?;
    let grade = format!("grade --json {}", submission.display());
    let command = CommandLine::new()?.command(&grade);
    let copy = folder.path().join("lab-grading");
    fs::copy(command.get_program(), &copy)?;
    let mut own = Command::new(&copy);
    own.args(command.get_args());
    let mut grader = Program::run("grade", &mut own)?;
    fs::remove_file(&copy)?;
    grader.wait_for_end(LIMIT)?;
    let printed = grader.texts().join("\n");
    let report: Report = serde_json::from_str(&printed).with_context(|| printed.clone())?;
    let crash = report.checks.iter().filter(|check| check.task == 4);
    ensure!(
        crash.clone().count() > 0 && crash.clone().all(|check| check.outcome == Outcome::Passed),
        "{printed}"
    );
    Ok(())
}

fn killed() -> Result<()> {
    let class = TempDir::new()?;
    let mut submissions = Vec::new();
    for number in 0..4 {
        let folder = class.path().join(format!("student{number}"));
        fs::create_dir(&folder)?;
        for (program, path) in programs(Version::Solution)? {
            fs::copy(path, folder.join(program))?;
        }
        submissions.push(folder);
    }
    let out = class.path().join("out");
    let lab = CommandLine::new()?;
    for kill in 0..KILLS {
        let mut grader = start(&lab, &submissions, &out)?;
        wait::until("another result", LIMIT, || {
            ensure!(grader.is_running()?, "{}", grader.last_lines());
            Ok((results(&out)?.len() > kill).then_some(()))
        })?;
        let running = wait::until("a submitted program to run", LIMIT, || {
            let programs = submitted_programs(grader.pid().as_raw());
            Ok((!programs.is_empty()).then_some(programs))
        })?;
        // This also kills the supervisors of the programs, so the programs must end without them.
        grader.kill()?;
        wait::until("the programs of a killed grader to end", LIMIT, || {
            let left = running.iter().any(|pid| program_of(*pid).is_some());
            Ok((!left).then_some(()))
        })?;
        for result in results(&out)? {
            report(&result)?;
        }
    }
    let before = results(&out)?;
    let mut grader = start(&lab, &submissions, &out)?;
    let status = grader.wait_for_end(LIMIT)?;
    ensure!(status.success(), "{status}:\n{}", grader.texts().join("\n"));
    let kept = grader
        .texts()
        .iter()
        .filter(|line| line.contains("graded in an earlier run"))
        .count();
    ensure!(
        kept == before.len(),
        "the grader kept {kept} of these results of earlier runs: {before:?}"
    );
    let after = results(&out)?;
    ensure!(after.len() == submissions.len(), "{after:?}");
    for result in after {
        let report = report(&result)?;
        let points: u32 = all_checks().map(|check| check.points).sum();
        ensure!(report.score == points, "{report:?}");
    }
    let gradebook = fs::read_to_string(out.join("grades.csv"))?;
    ensure!(
        gradebook.lines().count() == 1 + submissions.len(),
        "{gradebook}"
    );
    // A submission that is graded later is added to the earlier ones.
    let late = class.path().join("late");
    fs::create_dir(&late)?;
    let status = start(&lab, &[late], &out)?.wait_for_end(LIMIT)?;
    ensure!(status.success(), "{status}");
    let gradebook = fs::read_to_string(out.join("grades.csv"))?;
    ensure!(
        gradebook.lines().count() == 2 + submissions.len(),
        "{gradebook}"
    );
    Ok(())
}

/// The submitted programs that run for this grader, by process id.
fn submitted_programs(grader: i32) -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    pids.filter(|pid| program_of(*pid).is_some() && descends_from(*pid, grader))
        .collect()
}

/// The executable of a process, if it is a submitted program: a copy in the cache.
fn program_of(pid: i32) -> Option<PathBuf> {
    let executable = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let is_copy = executable.iter().any(|part| part == "scratch");
    is_copy.then_some(executable)
}

fn descends_from(pid: i32, ancestor: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    match parent.and_then(|parent| parent.trim().parse().ok()) {
        Some(parent) if parent == ancestor => true,
        Some(parent) if parent > 1 => descends_from(parent, ancestor),
        _ => false,
    }
}

fn start(lab: &CommandLine, submissions: &[PathBuf], out: &Path) -> Result<Program> {
    let mut command = lab.command("grade --jobs 2 --out");
    Program::run("grade", command.arg(out).args(submissions))
}

/// The folders of finished results. The name of an unfinished one begins with a period.
fn results(out: &Path) -> Result<Vec<PathBuf>> {
    if !out.exists() {
        return Ok(Vec::new());
    }
    let mut folders = Vec::new();
    for entry in fs::read_dir(out)? {
        let path = entry?.path();
        if path.is_dir()
            && !path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .starts_with('.')
        {
            folders.push(path);
        }
    }
    Ok(folders)
}

fn report(folder: &Path) -> Result<Report> {
    for file in ["results.json", "result.json", "junit.xml", "digest"] {
        ensure!(
            folder.join(file).exists(),
            "{file} is missing in {}",
            folder.display()
        );
    }
    let text = fs::read(folder.join("report.json"))?;
    serde_json::from_slice(&text).with_context(|| folder.display().to_string())
}

/// The submission is an archive as macOS makes it, of a workspace that contains build results. A learning platform has put it
/// into a folder, and a file of its own beside that.
fn sources() -> Result<()> {
    let class = TempDir::new()?;
    let student = class.path().join("student");
    let grades = class.path().join("grades.csv");
    fs::create_dir(&student)?;
    fs::write(&grades, "")?;
    let archive = fs::File::create(student.join("lab.zip"))?;
    let mut zip = zip::ZipWriter::new(archive);
    let mut add = |path: &str, bytes: &[u8]| -> Result<()> {
        zip.start_file(path, zip::write::SimpleFileOptions::default())?;
        Ok(zip.write_all(bytes)?)
    };
    let crash = "consumer_crash/src/main.rs";
    let mut with_notes = fs::read_to_string(workspace().join(crash))?;
    // Rust warns of a function that nobody calls. A warning is no error, whatever is configured for Cargo on this machine.
    with_notes += "const _: &str = include_str!(\"notes.txt\");\nfn nobody_calls_this() {}\n";
    add(&format!("student/{crash}"), with_notes.as_bytes())?;
    add("student/consumer_crash/src/notes.txt", b"not Rust")?;
    add("student/producer/Cargo.toml", b"with a crate of its own")?;
    add("student/consumer.py", b"print(1)")?;
    add(
        "student/producer/src/main.rs",
        b"fn main() { this is no Rust }\n",
    )?;
    add("__MACOSX/student/producer/src/._main.rs", b"Mac OS X")?;
    for number in 0..6_000 {
        add(&format!("student/target/debug/deps/{number}.o"), b"built")?;
    }
    zip.finish()?;
    let output = CommandLine::new()?
        .command("grade --json")
        .args([&student, &grades])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success() && said.contains("not submissions") && said.contains("grades.csv"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let report: Report = serde_json::from_slice(&output.stdout)?;
    ensure!(report.score == 12, "{report:?}");
    let saw = |id: &str| {
        let row = report.checks.iter().find(|row| row.id == id);
        row.map(|row| row.saw.clone()).unwrap_or_default()
    };
    let compile_error = saw("producer.ends");
    ensure!(
        compile_error.contains("does not compile") && compile_error.contains("main.rs:1"),
        "{compile_error}"
    );
    ensure!(
        compile_error.contains("producer/Cargo.toml is not as it was handed out"),
        "{compile_error}"
    );
    let of_consumer = saw("consumer.resumes");
    ensure!(
        of_consumer.contains("not submitted")
            && of_consumer.contains("consumer.py is not a source"),
        "{of_consumer}"
    );
    Ok(())
}

/// Submissions are built one after another in the same place. One of them tries to use the executable that was built
/// before it.
fn theft() -> Result<()> {
    let class = TempDir::new()?;
    let main = "consumer_crash/src/main.rs";
    let (honest, thief) = (class.path().join("a_honest"), class.path().join("b_thief"));
    for student in [&honest, &thief] {
        fs::create_dir_all(student.join("consumer_crash/src"))?;
    }
    fs::copy(workspace().join(main), honest.join(main))?;
    fs::write(
        thief.join(main),
        r#"use std::os::unix::fs::PermissionsExt;
        use std::os::unix::process::CommandExt;
        fn main() {
            let stolen = include_bytes!("../../../target/debug/consumer_crash");
            std::fs::write("stolen", stolen).unwrap();
            std::fs::set_permissions("stolen", PermissionsExt::from_mode(0o755)).unwrap();
            let _ = std::process::Command::new("./stolen").exec();
        }"#,
    )?;
    let output = CommandLine::new()?
        .command("grade --json --jobs 1")
        .args([&honest, &thief])
        .output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let reports: Vec<Report> = printed
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let scores: Vec<(&str, u32)> = reports
        .iter()
        .map(|report| (report.submission.as_str(), report.score))
        .collect();
    ensure!(
        scores == [("a_honest", 12), ("b_thief", 0)],
        "{scores:?}\n{printed}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Two submissions with a single program, and one without any. Then the same class again, and a page that cannot be
/// written.
fn profile() -> Result<()> {
    let class = TempDir::new()?;
    let (crash, empty) = (class.path().join("crash"), class.path().join("empty"));
    let again = class.path().join("again");
    for folder in [&crash, &empty, &again] {
        fs::create_dir(folder)?;
    }
    let program = "consumer_crash";
    let solution = programs(Version::Solution)?.remove(program);
    let solution = solution.context(program)?;
    for folder in [&crash, &again] {
        fs::copy(&solution, folder.join(program))?;
    }
    let lab = CommandLine::new()?;
    let grade = |out: &Path, page: &Path| {
        let mut command = lab.command("grade");
        command.arg("--out").arg(out).arg("--profile").arg(page);
        command.args([&crash, &empty, &again]);
        command
    };

    let never = class.path().join("never");
    let refused = lab.refused(&mut grade(&never, &class.path().join("nowhere/page.html")))?;
    ensure!(refused.contains("Does its folder exist"), "{refused}");
    ensure!(!never.exists(), "something was graded");

    let (out, page) = (class.path().join("out"), class.path().join("page.html"));
    text(&grade(&out, &page).output()?)?;
    let html = fs::read_to_string(&page)?;
    let tables: Vec<Vec<Row>> = html.split("<table").skip(1).map(rows).collect();
    let [submissions, together, of_crash, ..] = &tables[..] else {
        bail!("the page has {} tables", tables.len());
    };
    for row in submissions {
        let [clock, brokers, lanes, kinds @ ..] = &row.figures[..] else {
            bail!("{row:?}");
        };
        ensure_sum(row, *lanes, kinds)?;
        // Nothing is started for programs that are not there.
        let has_programs = row.head != "empty";
        ensure!((*brokers > 0.0) == has_programs, "{row:?}");
        ensure!(*lanes > *clock - 1.0, "{row:?}");
    }
    for table in [together, of_crash] {
        ensure_rows_add_up(table)?;
    }
    let (of_class, of_one) = (&together[0], &of_crash[0]);
    ensure!(of_class.figures[0] > of_one.figures[0], "{of_class:?}");
    let after_fifteen = of_crash
        .iter()
        .find(|row| row.head == "crash.after_fifteen");
    let waited = after_fifteen.context("the check is missing")?.figures[3];
    ensure!(waited > 0.0, "nobody waited for the program");

    text(&grade(&out, &page).output()?)?;
    let html = fs::read_to_string(&page)?;
    let kept = html.matches("graded in an earlier run").count();
    ensure!(kept == 3, "{kept} submissions have no profile");
    Ok(())
}

/// A row of a table on the page: its head, and its figures in seconds.
#[derive(Debug)]
struct Row {
    head: String,
    figures: Vec<f64>,
    /// Whether the rows below it are parts of it.
    is_whole: bool,
}

/// The rows of a table, without its head.
fn rows(table: &str) -> Vec<Row> {
    let body = table.split("<tbody>").nth(1).unwrap_or_default();
    let body = body.split("</table>").next().unwrap_or_default();
    let row = |row: &str| {
        let head = row.split("</th>").next().unwrap_or_default();
        let head = head.trim_end_matches("</code>").rsplit('>').next();
        let cells = row.split("<td class=\"points\">").skip(1);
        let figure = |cell: &str| {
            let figure = cell.split(" s</td>").next().map(str::parse);
            // An empty cell stands for no time.
            figure.and_then(Result::ok).unwrap_or(0.0)
        };
        Row {
            head: head.unwrap_or_default().to_string(),
            figures: cells.map(figure).collect(),
            is_whole: row.starts_with(" class=\"whole\""),
        }
    };
    body.split("<tr").skip(1).map(row).collect()
}

/// The figures are rounded to tenths of a second.
fn ensure_sum(row: &Row, whole: f64, parts: &[f64]) -> Result<()> {
    const ROUNDED: f64 = 0.051;
    let most = parts.iter().fold(ROUNDED, |most, _| most + ROUNDED);
    let sum: f64 = parts.iter().sum();
    ensure!(
        (whole - sum).abs() <= most,
        "the parts add up to {sum}: {row:?}"
    );
    Ok(())
}

/// In each row, the kinds of waiting add up to its time. The parts of each task add up to the task, and these to the first row.
fn ensure_rows_add_up(table: &[Row]) -> Result<()> {
    let time = |row: &Row| row.figures[0];
    for row in table {
        ensure!(row.figures.len() == 7, "{row:?}");
        ensure_sum(row, time(row), &row.figures[1..])?;
    }
    let (all, others) = table.split_first().context("the table is empty")?;
    let wholes: Vec<f64> = others.iter().filter(|row| row.is_whole).map(time).collect();
    ensure!(wholes.len() == 1 + TASKS.len(), "{table:?}");
    ensure_sum(all, time(all), &wholes)?;
    for task in others.chunk_by(|_, next| !next.is_whole) {
        if let [whole, parts @ ..] = task
            && !parts.is_empty()
        {
            ensure_sum(
                whole,
                time(whole),
                &parts.iter().map(time).collect::<Vec<_>>(),
            )?;
        }
    }
    Ok(())
}

fn no_submission() -> Result<()> {
    let class = TempDir::new()?;
    let garbage = class.path().join("garbage.zip");
    fs::write(&garbage, "this is no archive")?;
    let empty = class.path().join("empty");
    fs::create_dir(&empty)?;
    let lab = CommandLine::new()?;
    let output = lab
        .command("grade --json")
        .args([&garbage, &empty])
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for line in String::from_utf8(output.stdout)?.lines() {
        let report: Report = serde_json::from_str(line)?;
        ensure!(report.score == 0, "{line}");
        ensure!(!line.contains("not_judged"), "{line}");
    }
    // If the grader's Python has no Kafka client, the program is not judged, because that is not the student's fault.
    let bare = class.path().join("bare");
    let venv = Command::new("python3")
        .args(["-m", "venv", "--without-pip"])
        .arg(&bare)
        .output()?;
    ensure!(
        venv.status.success(),
        "{}",
        String::from_utf8_lossy(&venv.stderr)
    );
    let script = class.path().join("script");
    fs::create_dir(&script)?;
    fs::write(script.join("producer.py"), "import confluent_kafka\n")?;
    let path = std::env::var("PATH").unwrap_or_default();
    let output = lab
        .command("grade")
        .arg(&script)
        .env("PATH", format!("{}:{path}", bare.join("bin").display()))
        .output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.code() == Some(3) && printed.contains("pip install confluent-kafka"),
        "{}: {printed}",
        output.status
    );
    let missing = lab
        .command("grade")
        .arg(class.path().join("nobody"))
        .output()?;
    ensure!(missing.status.code() == Some(2), "{}", missing.status);
    Ok(())
}
