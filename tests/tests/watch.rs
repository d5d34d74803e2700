//! `cargo lab watch` shows what happens to a group.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use broker::Broker;
use common::{CLICKSTREAM, SCALE_GROUP};
use judge::Program;
use judge::programs::Version;
use libtest_mimic::Trial;

use crate::command_line::CommandLine;
use crate::{programs, trial};

/// The longest wait for a line. A session times out 10 s after the last heartbeat, and B learns of it within 3 s. Both
/// take longer on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);

pub fn trials() -> Vec<Trial> {
    vec![
        trial("watch::tells_each_rebalance", rebalances),
        trial(
            "watch::prints_once_or_until_its_reader_goes",
            once_or_until_its_reader_goes,
        ),
        trial("watch::says_that_kafka_does_not_answer", silent),
    ]
}

fn rebalances() -> Result<()> {
    let lab = CommandLine::new()?;
    let solutions = programs(Version::Solution)?;
    let broker = Broker::start()?;
    cluster::Kafka::at(broker.bootstrap()).create_topics(&[(CLICKSTREAM, 3)])?;
    let start = |program: &str| Program::start(program, &solutions[program], broker.bootstrap());

    let mut command = lab.command(&format!("watch {SCALE_GROUP}"));
    let mut watch = Program::run(
        "watch",
        command.env("BOOTSTRAP_SERVERS", broker.bootstrap()),
    )?;
    wait(&mut watch, &["no such group yet"])?;
    wait(&mut watch, &["nobody", "no commit"])?;
    let mut a = start("consumer_group_a")?;
    wait(&mut watch, &["A joined"])?;
    wait(&mut watch, &["partitions 0, 1, 2: nobody → A"])?;
    let _b = start("consumer_group_b")?;
    wait(&mut watch, &["B joined"])?;
    wait(&mut watch, &["A → B, without an owner for", " s"])?;
    wait(&mut watch, &["2 members: A, B"])?;
    let moved = watch.lines().len();
    a.kill()?;
    wait(&mut watch, &["A left or timed out"])?;
    watch.wait_for("the partitions that B takes over", LIMIT, |lines| {
        let new = lines.iter().skip(moved);
        let mut moves = new.filter(|line| line.text.contains("A → B, without an owner for"));
        moves.next().map(drop)
    })?;
    watch.interrupt()?;
    let status = watch.wait_for_end(LIMIT)?;
    ensure!(status.success(), "{status}: {}", watch.last_lines());
    Ok(())
}

/// Waits until one line contains all these words.
fn wait(watch: &mut Program, words: &[&str]) -> Result<()> {
    watch.wait_for(&format!("{words:?}"), LIMIT, |lines| {
        let has_all = |text: &str| words.iter().all(|word| text.contains(word));
        lines.iter().find(|line| has_all(&line.text)).map(drop)
    })
}

fn once_or_until_its_reader_goes() -> Result<()> {
    let lab = CommandLine::new()?;
    lab.run("up")?;
    let said = lab.refused(&mut lab.command("watch nobody --once"))?;
    ensure!(said.contains("no consumer group nobody"), "{said}");
    let input = lab
        .shell("echo one | \"$0\" kafka-console-producer --topic clickstream")
        .output()?;
    ensure!(input.status.success(), "nothing was published");
    lab.run("kafka-console-consumer --topic clickstream --group lab-group --from-beginning --max-messages 1")?;
    let printed = lab.run("watch lab-group --once")?;
    ensure!(
        printed.contains("lab-group: Empty; no members"),
        "{printed}"
    );
    let all = printed
        .lines()
        .last()
        .context("the command printed nothing")?;
    let numbers: Vec<&str> = all.split_whitespace().collect();
    ensure!(numbers.starts_with(&["all", "1", "1"]), "{printed}");
    // After the table, nothing more happens in the group. So the command can end only because its reader has ended.
    let mut watch = Program::run("watch", &mut lab.shell("\"$1\" lab-group | head -6"))?;
    watch.wait_for_end(LIMIT)?;
    ensure!(watch.texts().len() == 6, "{}", watch.last_lines());
    Ok(())
}

fn silent() -> Result<()> {
    let lab = CommandLine::new()?;
    let said = lab.refused(&mut lab.command(&format!("watch {SCALE_GROUP}")))?;
    ensure!(said.contains("cargo lab up"), "{said}");
    let mut nowhere = lab.command(&format!("watch {SCALE_GROUP}"));
    nowhere.env("BOOTSTRAP_SERVERS", format!("127.0.0.1:{}", lab.port()));
    let said = lab.refused(&mut nowhere)?;
    ensure!(said.contains("BOOTSTRAP_SERVERS"), "{said}");
    Ok(())
}
