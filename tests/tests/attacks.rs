//! Submissions that attack the grader. They must gain nothing, and must not stop the grading of other submissions. Each is small
//! enough to do no harm even where nothing confines it.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use judge::programs::{Version, workspace};
use judge::{Report, all_checks};
use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::command_line::CommandLine;
use crate::{busy_trial, programs};

/// The processes that `outlives_its_parent` starts sleep for this many seconds. The test recognizes them by the number.
const MARK: &str = "86399.5";

pub fn trials() -> Vec<Trial> {
    vec![busy_trial(
        "attacks::gain_nothing_and_stop_nothing",
        4,
        all_attacks,
    )]
}

fn all_attacks() -> Result<()> {
    let class = tempfile::tempdir()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let datagrams = UdpSocket::bind(address)?;
    // A folder that every user may enter.
    let public = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o755))
        .tempdir()?;
    let unix = public.path().join("socket");
    let unix_listener = UnixListener::bind(&unix)?;
    fs::set_permissions(&unix, Permissions::from_mode(0o777))?;
    listener.set_nonblocking(true)?;
    datagrams.set_nonblocking(true)?;
    unix_listener.set_nonblocking(true)?;
    let mut submissions = Vec::new();
    for entry in fs::read_dir(workspace().join("tests/attacks"))? {
        let from = entry?.path();
        let to = class
            .path()
            .join(from.file_name().context("the path ends without a name")?);
        copy(&from, &to)?;
        submissions.push(to);
    }
    let elsewhere = class.path().join("connects_elsewhere");
    fs::write(elsewhere.join("port"), address.port().to_string())?;
    fs::write(elsewhere.join("unix"), unix.display().to_string())?;
    let others = [workspace().join("solutions"), class.path().join("honest")];
    let others: String = others
        .iter()
        .map(|path| format!("{}\n", path.display()))
        .collect();
    fs::write(class.path().join("reads_what_is_not_its_own/paths"), others)?;
    submissions.push(archive_that_leads_out(class.path())?);
    for name in ["honest", "honest_too"] {
        let folder = class.path().join(name);
        fs::create_dir(&folder)?;
        for (program, path) in programs(Version::Solution)? {
            fs::copy(path, folder.join(program))?;
        }
        submissions.push(folder);
    }
    submissions.sort();

    let reports = grade(&submissions, class.path())?;
    ensure!(
        reports.len() == submissions.len(),
        "{} reports for {} submissions",
        reports.len(),
        submissions.len()
    );
    let full: u32 = all_checks().map(|check| check.points).sum();
    for (name, report) in &reports {
        let honest = name.starts_with("honest");
        let expected = if honest { full } else { 0 };
        let text = serde_json::to_string(report)?;
        ensure!(
            report.score == expected,
            "{name} has {} points, but must have {expected}: {text}",
            report.score
        );
        ensure!(
            !text.contains("LEAK"),
            "{name} got what it must not get: {text}"
        );
        ensure!(
            !text.contains("not_judged"),
            "{name} has checks that were not judged: {text}"
        );
    }
    // Each attack has really taken place: its report contains what it prints or causes.
    for (name, words) in [
        ("reads_what_is_not_its_own", "looked everywhere"),
        ("connects_elsewhere", "tried everything"),
        ("kills_others", "tried to kill"),
        ("outlives_its_parent", "left some behind"),
        ("deletes_the_topic", "sent a request that may change"),
        ("commits_for_others", "committed for scale-group"),
        ("builds_its_own_way", "does not compile"),
        ("blocks_who_reads", "cannot create fifo"),
        ("hides_its_files", "it wrote more than 256 MB"),
        ("writes_a_huge_row", "a row is larger than 1 MB"),
        ("sends_what_unpacks", "they are more than 32 MB"),
    ] {
        let text = serde_json::to_string(&reports[name])?;
        ensure!(
            text.contains(words),
            "the report of {name} does not contain `{words}`: {text}"
        );
    }
    ensure!(
        listener.accept().is_err(),
        "a submission connected to the TCP port of this test"
    );
    ensure!(
        unix_listener.accept().is_err(),
        "a submission connected to the Unix socket of this test"
    );
    ensure!(
        datagrams.recv(&mut [0; 8]).is_err(),
        "a submission sent a datagram to the UDP port of this test"
    );
    let left = Command::new("pgrep").args(["-f", MARK]).output()?;
    ensure!(
        left.stdout.is_empty(),
        "these processes of a submission are still running: {}",
        String::from_utf8_lossy(&left.stdout)
    );
    for entry in fs::read_dir("/tmp")? {
        let name = entry?.file_name();
        ensure!(
            !name.to_string_lossy().starts_with("LEAK"),
            "a submission wrote /tmp/{}",
            name.display()
        );
    }
    ensure!(
        !class.path().join("escaped").exists(),
        "a file from an archive was written outside the folder of its submission"
    );
    Ok(())
}

fn grade(submissions: &[PathBuf], class: &Path) -> Result<BTreeMap<String, Report>> {
    let python = bank::python::interpreter()?;
    let bin = python
        .parent()
        .context("the path of Python has no folder")?;
    let path = std::env::var("PATH").unwrap_or_default();
    let lab = CommandLine::new()?;
    let output = lab
        .command("grade --json --jobs 2")
        .args(submissions)
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("SECRET_OF_THE_GRADER", "1")
        .current_dir(class)
        .output()?;
    let printed = String::from_utf8(output.stdout)?;
    let reports = printed.lines().map(|line| {
        let report: Report = serde_json::from_str(line)?;
        Ok((report.submission.clone(), report))
    });
    reports.collect()
}

/// An archive with a path that leads out of it (`../../escaped`) and a link to a file outside (`/etc/shadow`).
fn archive_that_leads_out(folder: &Path) -> Result<PathBuf> {
    let scratch = TempDir::new()?;
    let inside = scratch.path().join("inside/deep");
    fs::create_dir_all(&inside)?;
    fs::write(scratch.path().join("escaped"), "")?;
    fs::write(inside.join("consumer"), "#!/bin/sh\ncat link producer\n")?;
    std::os::unix::fs::symlink("/etc/shadow", inside.join("producer"))?;
    let archive = folder.join("archive_leads_out.tar");
    let status = Command::new("tar")
        .current_dir(&inside)
        .arg("--absolute-names")
        .arg("-cf")
        .arg(&archive)
        .args(["../../escaped", "consumer", "producer"])
        .status()?;
    ensure!(status.success(), "tar: {status}");
    Ok(archive)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-r").args([from, to]).status()?;
    ensure!(status.success(), "cp: {status}");
    Ok(())
}
