//! Task 5: a kill between two systems, with the wrong way and the right way side by side.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use common::{BILLING_SERVICE, PAYMENTS, Payment};

use crate::bench::database::{BILLING_DB, Database};
use crate::data::money::{Dollars, to_cents};
use crate::task5_billing::charges::{Bill, Charges};
use crate::task5_billing::rows::charges;
use crate::{Stage, as_payloads, random_payments};
use cluster::is_past;
use cluster::offsets;
use cluster::table;

/// One batch.
const COUNT: u64 = 20;

const SOLUTION: &str = "solution";

/// A busy machine takes its time until a program has joined and charged.
const LIMIT: Duration = Duration::from_secs(30);

/// Charges the same payments with a kill between the write and the commit: by `billing/` as it stands in this workspace, and
/// by the solution.
///
/// # Errors
/// When the cluster does not answer.
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
        "{COUNT} payments of {published} together are in {PAYMENTS}. billing/ charges them as it stands in this workspace, then \
         the solution does, each in a database of its own. Each is killed after the write, before the commit."
    ));
    let mut crashes = Vec::new();
    for (name, path) in programs {
        crashes.push((name, crash(stage, name, path, &payments)?));
    }
    stage.say("Side by side:");
    stage.tell(side_by_side(&published, &crashes));
    for (name, crashed) in &crashes {
        stage.find(
            5,
            &format!("{name}: when it is killed, nothing is committed that is not charged"),
            !crashed.is_ahead(),
            crashed.looks[1].to_string(),
        );
        let (claim, holds) = if *name == SOLUTION {
            (
                "charged by event_id, the batch comes again and changes nothing",
                crashed.bill.is_right(),
            )
        } else if crashed.bill.again == payments.len() {
            (
                "by a plain insert the batch comes again, and everybody pays twice",
                true,
            )
        } else {
            // Whoever has filled the holes sees that it was worth it.
            ("everybody pays once", crashed.bill.is_right())
        };
        stage.find(
            5,
            &format!("{name}: {claim}"),
            holds,
            format!(
                "{} of {published}: {}",
                crashed.looks[2].charges, crashed.bill
            ),
        );
    }
    Ok(())
}

/// Topic, database and committed offsets at each moment.
fn side_by_side(published: &str, crashes: &[(&str, Crashed)]) -> String {
    let mut header = vec![String::new(), "topic".to_string()];
    for (name, _) in crashes {
        header.extend([format!("{name} database"), "committed".to_string()]);
    }
    let moments = ["before the kill", "after the kill", "after the restart"];
    let rows = moments.iter().enumerate().map(|(at, moment)| {
        let mut row = vec![(*moment).to_string(), published.to_string()];
        for (_, crashed) in crashes {
            let look = &crashed.looks[at];
            let committed: i64 = look.committed.iter().flatten().sum();
            row.push(Dollars(look.charges.cents()).to_string());
            row.push(match committed {
                0 => "nothing".to_string(),
                _ => format!("{committed} of {COUNT}"),
            });
        }
        row
    });
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let numbers: Vec<usize> = (1..header.len()).collect();
    table(&header, &numbers, rows)
}

/// What a program left before it was killed, after that, and when it had run once more.
struct Crashed {
    looks: Vec<Look>,
    bill: Bill,
}

struct Look {
    charges: Charges,
    committed: Vec<Option<i64>>,
}

impl Crashed {
    fn is_ahead(&self) -> bool {
        let killed = &self.looks[1];
        let committed: i64 = killed.committed.iter().flatten().sum();
        usize::try_from(committed).unwrap_or_default() > killed.charges.rows.len()
    }
}

impl std::fmt::Display for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let committed = offsets(&self.committed);
        write!(f, "{}; committed: {committed}", self.charges)
    }
}

fn crash(stage: &mut Stage, name: &str, path: PathBuf, payments: &[Payment]) -> Result<Crashed> {
    let database = Database::new()?;
    let mut command = Command::new(path);
    command.env(BILLING_DB, database.path());
    let look = |stage: &Stage| -> Result<Look> {
        Ok(Look {
            charges: charges(&database),
            committed: stage.kafka.committed(BILLING_SERVICE, PAYMENTS)?,
        })
    };

    stage.say(format!(
        "{name}: run 1. It cannot print, so it stops in its first line: the batch is written, and not committed."
    ));
    let mut program = stage.start_stalled_as(name, &mut command)?;
    // A student's program may never come to it; the findings say so.
    program.until(LIMIT, || Ok(charges(&database).have_all(payments)))?;
    let before = look(stage)?;
    stage.say(format!("  {before}"));
    stage.say("  kill -9.");
    program.kill_if_running()?;
    let killed = look(stage)?;
    stage.say(format!("  {killed}"));
    // Its session would take 10 s to time out.
    stage.kafka.remove_members(BILLING_SERVICE)?;

    stage.say(format!(
        "{name}: run 2. It begins at the committed offsets."
    ));
    let ends = stage.kafka.ends(PAYMENTS)?;
    let mut program = stage.start_as(name, &mut command)?;
    program.until(LIMIT, || {
        let committed = stage.kafka.committed(BILLING_SERVICE, PAYMENTS)?;
        Ok(is_past(&committed, &ends))
    })?;
    let restarted = look(stage)?;
    stage.show(name, &program.texts(), 2, 2);
    stage.say(format!("  {restarted}"));
    program.kill_if_running()?;
    // The next one begins at the beginning, too.
    stage.kafka.remove_members(BILLING_SERVICE)?;
    stage.kafka.delete_group(BILLING_SERVICE, LIMIT)?;
    Ok(Crashed {
        bill: restarted.charges.compare(payments),
        looks: vec![before, killed, restarted],
    })
}
