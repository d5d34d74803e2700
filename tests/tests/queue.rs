//! A class that is graded through Kafka: workers that are killed, and what they leave to others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use broker::{Broker, wait};
use cluster::Kafka;
use judge::{Outcome, Program, Report};
use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rdkafka::config::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::busy_trial;
use crate::command_line::CommandLine;

/// The topics, as the commands name them.
const SUBMISSIONS: &str = "lab-submissions";
const RESULTS: &str = "lab-results";

/// So many submissions are certainly not all in the partitions of one of two workers.
const CLASS: usize = 10;

/// The longest wait, on a busy machine.
const LIMIT: Duration = Duration::from_secs(600);

pub fn trials() -> Vec<Trial> {
    vec![
        busy_trial(
            "queue::every_verdict_once_although_workers_and_gatherer_are_killed",
            4,
            killed,
        ),
        busy_trial("queue::what_ends_its_graders_is_set_aside", 2, set_aside),
        busy_trial(
            "queue::a_worker_waits_for_the_first_class_and_for_another_kafka",
            2,
            waits,
        ),
        busy_trial(
            "queue::what_needs_another_lab_is_left_alone",
            2,
            another_lab,
        ),
        busy_trial(
            "queue::what_is_too_large_goes_through_a_shared_folder",
            2,
            too_large,
        ),
    ]
}

/// A class, a Kafka, and the command line.
struct Scene {
    lab: CommandLine,
    broker: Broker,
    folder: TempDir,
    submissions: Vec<PathBuf>,
}

impl Scene {
    /// Submissions with these names. Each has one program, which ends at once, so that it is judged in seconds.
    fn new(names: &[&str]) -> Result<Self> {
        let folder = TempDir::new()?;
        let mut submissions = Vec::new();
        for name in names {
            let submission = folder.path().join("class").join(name);
            fs::create_dir_all(&submission)?;
            let producer = submission.join("producer");
            fs::write(&producer, format!("#!/bin/sh\necho {name}\nexit 1\n"))?;
            fs::set_permissions(&producer, PermissionsExt::from_mode(0o755))?;
            submissions.push(submission);
        }
        Ok(Self {
            lab: CommandLine::new()?,
            broker: Broker::start()?,
            folder,
            submissions,
        })
    }

    fn worker(&self) -> Result<Program> {
        let mut command = self.lab.command("worker --jobs 1 --through");
        Program::run("worker", command.arg(self.broker.bootstrap()))
    }

    fn gatherer(&self) -> Result<Program> {
        let mut command = self.lab.command("grade --through");
        command
            .arg(self.broker.bootstrap())
            .arg("--out")
            .arg(self.out())
            .args(&self.submissions);
        Program::run("grade", &mut command)
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// All that has happened to submissions so far: the submission, what, and who did it.
    fn notes(&self) -> Result<Vec<(String, String, String)>> {
        let kafka = Kafka::at(self.broker.bootstrap());
        if kafka.partitions(RESULTS)?.is_none() {
            return Ok(Vec::new());
        }
        let records = kafka.records(RESULTS)?;
        let notes = records.iter().filter(|record| record.partition == 0);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        notes
            .map(|record| {
                let note: Value = serde_json::from_str(&record.value())?;
                let what = match &note["what"] {
                    Value::Object(what) => what.keys().next().cloned().unwrap_or_default(),
                    other => text(other),
                };
                Ok((text(&note["job"]["submission"]), what, text(&note["who"])))
            })
            .collect()
    }

    /// Waits for so many notes of this kind.
    fn wait_for(&self, what: &str, count: usize) -> Result<Vec<(String, String, String)>> {
        wait::until(&format!("{count} notes `{what}`"), LIMIT, || {
            let mut notes = self.notes()?;
            notes.retain(|(_, kind, _)| kind == what);
            Ok((notes.len() >= count).then_some(notes))
        })
    }
}

fn killed() -> Result<()> {
    let names: Vec<String> = (0..CLASS)
        .map(|number| format!("student{number}"))
        .collect();
    let scene = Scene::new(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mut gatherer = scene.gatherer()?;
    scene.wait_for("published", CLASS)?;
    gatherer.kill()?;
    // The first worker has taken what it can when the second one joins, and it gets everything back when that one is killed.
    let mut first = scene.worker()?;
    scene.wait_for("started", 1)?;
    let mut second = scene.worker()?;
    let submission = wait::until("a submission that the second worker judges", LIMIT, || {
        let said = second.texts().join("\n");
        let mut notes = scene.notes()?.into_iter();
        let is_its = |(_, what, who): &(_, String, String)| what == "started" && said.contains(who);
        Ok(notes.find(is_its).map(|(submission, ..)| submission))
    })?;
    second.kill()?;
    // Its grader outlives it for long enough to say that the submission has not caused this.
    wait::until("the submission to be released", LIMIT, || {
        let mut notes = scene.notes()?.into_iter();
        let is_it =
            |(name, what, _): &(String, String, _)| *name == submission && what == "released";
        Ok(notes.any(|note| is_it(&note)).then_some(()))
    })?;
    let mut gatherer = scene.gatherer()?;
    let status = gatherer.wait_for_end(LIMIT)?;
    ensure!(status.success(), "{status}: {}", gatherer.last_lines());

    // Nothing was published again.
    let kafka = Kafka::at(scene.broker.bootstrap());
    let records: i64 = kafka.ends(SUBMISSIONS)?.iter().sum();
    ensure!(
        usize::try_from(records)? == CLASS,
        "{records} submissions were published"
    );
    first.interrupt()?;
    let status = first.wait_for_end(LIMIT)?;
    ensure!(status.success(), "{status}: {}", first.last_lines());
    let done = scene.wait_for("done", CLASS)?;
    let names: BTreeSet<&String> = done.iter().map(|(name, ..)| name).collect();
    ensure!(names.len() == CLASS && done.len() == CLASS, "{done:?}");

    let alone = scene.folder.path().join("alone");
    let grade = scene
        .lab
        .command("grade --jobs 4 --out")
        .arg(&alone)
        .args(&scene.submissions)
        .output()?;
    ensure!(grade.status.success(), "{grade:?}");
    ensure!(
        verdicts(&scene.out())? == verdicts(&alone)?,
        "{:?}",
        verdicts(&scene.out())?
    );
    Ok(())
}

/// The names of all files in a folder of results, and the verdicts in reports and gradebook.
fn verdicts(out: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(out)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut found = Vec::new();
        if path.is_dir() {
            let report = fs::read(path.join("report.json"))?;
            let report: Report = serde_json::from_slice(&report)?;
            let rows = report.checks.iter();
            found.extend(rows.map(|row| format!("{} {:?} {}", row.id, row.outcome, row.saw)));
            let mut files = fs::read_dir(&path)?
                .map(|file| Ok(file?.file_name().to_string_lossy().into_owned()))
                .collect::<Result<Vec<_>>>()?;
            files.sort();
            found.extend(files);
        } else if name == "grades.csv" {
            found.push(fs::read_to_string(&path)?);
        }
        all.insert(name.into_owned(), found);
    }
    Ok(all)
}

fn set_aside() -> Result<()> {
    let scene = Scene::new(&["ann", "poison"])?;
    let worker = scene.worker()?;
    let mut gatherer = scene.gatherer()?;
    for count in 1..=2 {
        let grader = wait::until("a grader with the poison", LIMIT, || {
            let notes = scene.notes()?;
            let of_poison = notes.iter().filter(|(name, ..)| name == "poison");
            let starts = of_poison.filter(|(_, what, _)| what == "started").count();
            Ok((starts == count).then(|| graders(worker.pid())).flatten())
        })?;
        kill(grader, Signal::SIGKILL)?;
        scene.wait_for("crashed", count)?;
    }
    let status = gatherer.wait_for_end(LIMIT)?;
    ensure!(status.code() == Some(3), "{status}");
    let report = |name: &str| -> Result<Report> {
        let report = fs::read(scene.out().join(name).join("report.json"))?;
        Ok(serde_json::from_slice(&report)?)
    };
    let poison = report("poison")?;
    ensure!(
        poison.outcome == Outcome::NotJudged && poison.checks[0].saw.contains("ended 2 graders"),
        "{:?}",
        poison.checks[0]
    );
    ensure!(report("ann")?.is_judged(), "ann was not judged");
    Ok(())
}

/// The grader process of a worker with one job.
fn graders(worker: Pid) -> Option<Pid> {
    let children = format!("/proc/{worker}/task/{worker}/children");
    let children = fs::read_to_string(children).ok()?;
    let mut pids = children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok());
    pids.next().map(Pid::from_raw)
}

/// A worker is there before the topics are, and after somebody has deleted them.
fn waits() -> Result<()> {
    let scene = Scene::new(&["ann"])?;
    // By default, librdkafka says only after 30 s that a topic is missing.
    let settings = scene.folder.path().join("client.properties");
    fs::write(&settings, "topic.metadata.propagation.max.ms=500\n")?;
    let mut command = scene.lab.command("worker --jobs 1 --through");
    command
        .arg(scene.broker.bootstrap())
        .arg("--kafka-settings")
        .arg(&settings);
    let mut worker = Program::run("worker", &mut command)?;
    let says = |worker: &mut Program, words: &str, times: usize| {
        worker.wait_for(words, LIMIT, |lines| {
            let found = lines.iter().filter(|line| line.text.contains(words));
            (found.count() >= times).then_some(())
        })
    };
    says(&mut worker, "Waiting for the first class", 1)?;
    // Several times as long as the setting says.
    wait::pass(Duration::from_secs(2))?;
    let status = scene.gatherer()?.wait_for_end(LIMIT)?;
    ensure!(status.success(), "{status}: {}", worker.last_lines());

    let kafka = Kafka::at(scene.broker.bootstrap());
    kafka.delete_topics(&[SUBMISSIONS, RESULTS])?;
    says(&mut worker, "The topics are gone", 1)?;
    says(&mut worker, "Waiting for the first class", 2)?;
    fs::remove_dir_all(scene.out())?;
    let status = scene.gatherer()?.wait_for_end(LIMIT)?;
    ensure!(status.success(), "{status}: {}", worker.last_lines());
    worker.interrupt()?;
    let status = worker.wait_for_end(LIMIT)?;
    ensure!(status.success(), "{status}: {}", worker.last_lines());
    Ok(())
}

/// A record for another lab, and one that is no submission at all, come before the class.
fn another_lab() -> Result<()> {
    let scene = Scene::new(&["ann"])?;
    let kafka = Kafka::at(scene.broker.bootstrap());
    kafka.create_topics(&[(SUBMISSIONS, 1), (RESULTS, 2)])?;
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", scene.broker.bootstrap())
        .create()?;
    let job = json!({"run": "elsewhere", "submission": "eve", "digest": "00", "lab": "0123456789"});
    for job in [job.to_string(), "anything".to_string()] {
        let header = Header {
            key: "job",
            value: Some(&job),
        };
        let record: BaseRecord<[u8], [u8]> =
            BaseRecord::to(SUBMISSIONS).headers(OwnedHeaders::new().insert(header));
        producer.send(record).map_err(|(error, _)| error)?;
    }
    producer.flush(LIMIT)?;
    let worker = scene.worker()?;
    let mut gatherer = scene.gatherer()?;
    let status = gatherer.wait_for_end(LIMIT)?;
    ensure!(status.success(), "{status}: {}", gatherer.last_lines());
    let said = worker.texts().join("\n");
    ensure!(
        said.contains("Class elsewhere is graded with another lab (01234567)"),
        "{said}"
    );
    let notes = scene.notes()?;
    ensure!(!notes.iter().any(|(name, ..)| name == "eve"), "{notes:?}");
    // It tells what is there, and who is at work.
    let status = scene.lab.run(&format!(
        "grade --status --through {}",
        scene.broker.bootstrap()
    ))?;
    ensure!(
        status.contains("1 worker in group lab-graders-") && status.contains("done"),
        "{status}"
    );
    Ok(())
}

fn too_large() -> Result<()> {
    const MEGABYTES: usize = 9;
    let scene = Scene::new(&["ann"])?;
    // Random bytes cannot be compressed.
    let words = (0..MEGABYTES << 17).flat_map(|_| rand::random::<u64>().to_le_bytes());
    fs::write(
        scene.submissions[0].join("data"),
        words.collect::<Vec<u8>>(),
    )?;
    let report = || -> Result<Report> {
        let report = fs::read(scene.out().join("ann/report.json"))?;
        Ok(serde_json::from_slice(&report)?)
    };
    let status = scene.gatherer()?.wait_for_end(LIMIT)?;
    let saw = report()?.checks[0].saw.clone();
    ensure!(
        status.code() == Some(3) && saw.contains("9 MB") && saw.contains("--shared DIR"),
        "{status}: {saw}"
    );

    let shared = scene.folder.path().join("shared");
    fs::create_dir(&shared)?;
    let with_shared = |name: &str, command: &str| -> Result<Program> {
        let mut command = scene.lab.command(command);
        command
            .arg(scene.broker.bootstrap())
            .arg("--shared")
            .arg(&shared);
        if name == "grade" {
            command
                .arg("--out")
                .arg(scene.out())
                .args(&scene.submissions);
        }
        Program::run(name, &mut command)
    };
    let _worker = with_shared("worker", "worker --through")?;
    let mut gatherer = with_shared("grade", "grade --through")?;
    let status = gatherer.wait_for_end(LIMIT)?;
    ensure!(status.success(), "{status}: {}", gatherer.last_lines());
    ensure!(report()?.is_judged(), "{:?}", report()?.checks[0]);
    let left = fs::read_dir(&shared)?.count();
    ensure!(left == 0, "{left} files were left in the shared folder");
    Ok(())
}
