//! The demo of task 5: a kill between the database and Kafka. It shows the wrong way and the right way side by side.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use broker::wait;
use common::{BILLING_SERVICE, PAYMENTS, Payment};

use crate::bench::database::{BILLING_DB, Database};
use crate::data::money::{Dollars, to_cents};
use crate::task5_billing::charges::Bill;
use crate::task5_billing::desk::Snapshot;
use crate::task5_billing::rows::charges;
use crate::{Stage, as_payloads, random_payments};
use cluster::{is_past, sum, table};

/// How many payments are published: one batch.
const COUNT: u64 = 20;

const SOLUTION: &str = "solution";

/// How long a program may take to join its group and charge the payments. A busy machine is slow.
const LIMIT: Duration = Duration::from_secs(30);

/// After this time without another charge, the batch has been written.
const QUIET: Duration = Duration::from_secs(3);

/// Lets two programs charge the same payments: `billing/` of this workspace, and the solution. Each is killed between
/// the write and the commit, and then started again.
///
/// # Errors
/// When a program was not built or cannot be started, or the cluster does not answer.
pub fn run(stage: &mut Stage) -> Result<()> {
    let programs = [
        ("billing/", stage.starter("billing")?.clone()),
        (SOLUTION, stage.path("billing")?.clone()),
    ];
    stage.kafka.delete_group(BILLING_SERVICE, LIMIT)?;
    let payments = random_payments(COUNT);
    stage.kafka.send(PAYMENTS, None, &as_payloads(&payments)?)?;
    let published: i64 = payments.iter().filter_map(|one| to_cents(one.amount)).sum();
    let published = Dollars(published).to_string();
    stage.say(format!(
        "{COUNT} payments are in the topic {PAYMENTS}, {published} in total. First billing/ of this workspace charges them, then the \
         solution. Each has a database of its own. Each is killed after the write and before the commit."
    ));
    let mut crashes = Vec::new();
    for (name, path) in programs {
        crashes.push((name, crash(stage, name, path, &payments)?));
    }
    stage.say("Side by side:");
    stage.narrate(side_by_side(&published, &crashes));
    for (name, crashed) in &crashes {
        stage.find(
            5,
            &format!("{name}: when it is killed, it has committed nothing that is not charged"),
            !crashed.is_ahead(),
            crashed.after_kill.to_string(),
        );
        let (claim, holds) = if *name == SOLUTION {
            (
                "the batch comes again and changes nothing, because event_id is the key",
                crashed.bill.is_right(),
            )
        } else if crashed.everything_came_again() {
            (
                "the batch comes again, and with a plain insert everybody in it pays twice",
                true,
            )
        } else {
            // The student has filled the holes, so this finding says whether that helped.
            ("everybody pays once", crashed.bill.is_right())
        };
        stage.find(
            5,
            &format!("{name}: {claim}"),
            holds,
            format!(
                "{} ({published} is right); {}",
                crashed.after_restart.charges, crashed.bill
            ),
        );
    }
    Ok(())
}

/// A table of what the topic, the databases and the committed offsets say at each moment.
fn side_by_side(published: &str, crashes: &[(&str, Crashed)]) -> String {
    let mut header = vec![String::new(), "topic".to_string()];
    for (name, _) in crashes {
        header.extend([format!("{name} database"), "committed".to_string()]);
    }
    let moments = ["before the kill", "after the kill", "after the restart"];
    let rows = moments.iter().enumerate().map(|(at, moment)| {
        let mut row = vec![(*moment).to_string(), published.to_string()];
        for (_, crashed) in crashes {
            let snapshot = crashed.snapshots()[at];
            row.push(Dollars(snapshot.charges.cents()).to_string());
            row.push(match sum(&snapshot.committed) {
                0 => "nothing".to_string(),
                committed => format!("{committed} of {COUNT}"),
            });
        }
        row
    });
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let numbers: Vec<usize> = (1..header.len()).collect();
    table(&header, &numbers, rows)
}

/// What a program left in the database and in its group when it was killed and started again.
struct Crashed {
    before_kill: Snapshot,
    after_kill: Snapshot,
    after_restart: Snapshot,
    /// How the charges after the restart differ from the payments.
    bill: Bill,
}

impl Crashed {
    /// The snapshots in the order of their moments.
    fn snapshots(&self) -> [&Snapshot; 3] {
        [&self.before_kill, &self.after_kill, &self.after_restart]
    }

    /// Was each payment that was charged before the kill charged again?
    fn everything_came_again(&self) -> bool {
        let charged = self.after_kill.charges.rows.len();
        charged > 0 && self.bill.again == charged
    }

    /// Were more payments committed than charged when the program was killed?
    fn is_ahead(&self) -> bool {
        let committed = usize::try_from(sum(&self.after_kill.committed)).unwrap_or_default();
        committed > self.after_kill.charges.rows.len()
    }
}

/// Runs a program on the payments, kills it between the write and the commit, and runs it again.
fn crash(stage: &mut Stage, name: &str, path: PathBuf, payments: &[Payment]) -> Result<Crashed> {
    let database = Database::new()?;
    let mut command = Command::new(path);
    command.env(BILLING_DB, database.path());
    let snapshot = |stage: &Stage| -> Result<Snapshot> {
        Ok(Snapshot {
            charges: charges(&database)?,
            committed: stage.kafka.committed(BILLING_SERVICE, PAYMENTS)?,
        })
    };

    stage.say(format!(
        "{name}: run 1. It cannot print, so it stops at its first line of output. By then it has written the batch, but not \
         committed it."
    ));
    let mut program = stage.start_stalled_as(name, &mut command)?;
    // A student's program may never charge them. The findings say so. On a busy machine, a partition may come too late for
    // the batch, and then there is no more to wait for.
    wait::while_it_changes(LIMIT, || {
        let charged = charges(&database)?;
        let patience = match charged.rows.len() {
            _ if charged.have_all(payments) || !program.is_running()? => Duration::ZERO,
            0 => LIMIT,
            _ => QUIET,
        };
        Ok((charged.rows.len(), patience))
    })?;
    let before_kill = snapshot(stage)?;
    stage.say(format!("  {before_kill}"));
    stage.say("  kill -9.");
    program.kill_if_running()?;
    let after_kill = snapshot(stage)?;
    stage.say(format!("  {after_kill}"));
    // Otherwise run 2 would wait until the session of the killed member times out.
    stage.kafka.remove_members(BILLING_SERVICE)?;

    stage.say(format!(
        "{name}: run 2. It starts at the committed offsets."
    ));
    let ends = stage.kafka.ends(PAYMENTS)?;
    let mut program = stage.start_as(name, &mut command)?;
    program.until(LIMIT, || {
        let committed = stage.kafka.committed(BILLING_SERVICE, PAYMENTS)?;
        Ok(is_past(&committed, &ends))
    })?;
    let after_restart = snapshot(stage)?;
    stage.show(name, &program.texts(), 2, 2);
    stage.say(format!("  {after_restart}"));
    program.kill_if_running()?;
    // The next program also starts at the beginning of the topic.
    stage.kafka.remove_members(BILLING_SERVICE)?;
    stage.kafka.delete_group(BILLING_SERVICE, LIMIT)?;
    Ok(Crashed {
        bill: after_restart.charges.compare(payments),
        before_kill,
        after_kill,
        after_restart,
    })
}
