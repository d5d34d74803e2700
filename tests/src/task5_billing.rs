//! Task 5: a kill between two systems, with the wrong way and the right way side by side.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use broker::wait;
use common::{BILLING_SERVICE, PAYMENTS, Payment};

use crate::charges::{Bill, Charges, Dollars};
use crate::database::{BILLING_DB, Database, to_cents};
use crate::programs::{Version, build};
use crate::table::table;
use crate::{Program, Stage, as_payloads, offsets, random_payments};

/// One batch.
const COUNT: u64 = 20;

/// A busy machine takes its time until a program has joined and charged.
const LIMIT: Duration = Duration::from_secs(30);

/// Charges the same payments twice with a kill between the write and the commit: by `billing/` as it stands in this
/// workspace, and by the solution.
///
/// # Errors
/// When one does not compile, or the cluster does not answer.
pub fn run(stage: &mut Stage) -> Result<()> {
    let own = build(&["billing"], Version::Own)?;
    let own = own.get("billing").context("billing was not built")?.clone();
    let solution = stage.path("billing")?.clone();
    stage.kafka.delete_group(BILLING_SERVICE, LIMIT)?;
    let payments = random_payments(COUNT);
    stage.kafka.send(PAYMENTS, None, &as_payloads(&payments)?)?;
    let published: i64 = payments.iter().filter_map(|one| to_cents(one.amount)).sum();
    let published = Dollars(published).to_string();
    stage.say(format!(
        "{COUNT} payments of {published} are in {PAYMENTS}. Two programs charge them, each in a database of its own: billing/ \
         as it stands in this workspace, and the solution. Both are killed after the write, before the commit."
    ));
    let own = crash(stage, "billing/", own, &payments)?;
    let solved = crash(stage, "solution", solution, &payments)?;

    let moments = ["before the kill", "after the kill", "after the restart"];
    let rows = moments.iter().zip(own.looks.iter().zip(&solved.looks));
    let rows = rows.map(|(moment, (own, solved))| {
        [
            (*moment).to_string(),
            published.clone(),
            own.charges.to_string(),
            offsets(&own.committed),
            solved.charges.to_string(),
            offsets(&solved.committed),
        ]
    });
    let header = [
        "",
        "topic",
        "billing/: database",
        "committed",
        "solution: database",
        "committed",
    ];
    stage.tell(table(&header, &[], rows));

    for (name, crashed) in [("billing/", &own), ("the solution", &solved)] {
        stage.find(
            5,
            &format!(
                "killed between write and commit, {name} has nothing committed that is not charged"
            ),
            !crashed.is_ahead(),
            crashed.looks[1].to_string(),
        );
    }
    // Whoever has filled the holes sees that it was worth it.
    let claim = match own.bill.is_right() {
        true => "billing/ charges by event_id: nobody pays twice",
        false => "billing/ is a plain insert: the batch comes again, and everybody pays twice",
    };
    let twice = usize::try_from(COUNT)?;
    stage.find(
        5,
        claim,
        own.bill.is_right() || own.bill.again == twice,
        format!("{} of {published}: {}", own.charges(), own.bill),
    );
    stage.find(
        5,
        "the solution charges by event_id: the batch comes again, and changes nothing",
        solved.bill.is_right(),
        format!("{} of {published}: {}", solved.charges(), solved.bill),
    );
    Ok(())
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
    fn charges(&self) -> &Charges {
        &self.looks[2].charges
    }

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
            charges: database.charges(),
            committed: stage.kafka.committed(BILLING_SERVICE, PAYMENTS)?,
        })
    };

    stage.say(format!(
        "{name}: run 1. It cannot print, so it stops in its first line: the batch is written, and not committed."
    ));
    let mut program = stage.start_stalled_as(name, &mut command)?;
    wait::until("the batch to be written", LIMIT, || {
        let written = database.charges().have_all(payments);
        Ok((written || !program.is_running()?).then_some(()))
    })?;
    let before = look(stage)?;
    stage.say(format!("  {before}"));
    stage.say("  kill -9.");
    kill(&mut program)?;
    let killed = look(stage)?;
    stage.say(format!("  {killed}"));
    // Its session would take 10 s to time out.
    stage.kafka.remove_members(BILLING_SERVICE)?;

    stage.say(format!(
        "{name}: run 2. It goes on at the committed offsets."
    ));
    let ends = stage.kafka.ends(PAYMENTS)?;
    let mut program = stage.start_as(name, &mut command)?;
    wait::until("all to be committed", LIMIT, || {
        let committed = stage.kafka.committed(BILLING_SERVICE, PAYMENTS)?;
        let done = committed.iter().zip(&ends).all(|(committed, end)| {
            // A partition without a payment needs no commit.
            committed.unwrap_or(0) == *end
        });
        Ok((done || !program.is_running()?).then_some(()))
    })?;
    let restarted = look(stage)?;
    stage.show(name, &program.texts(), 2, 2);
    stage.say(format!("  {restarted}"));
    kill(&mut program)?;
    // The next one begins at the beginning, too.
    stage.kafka.remove_members(BILLING_SERVICE)?;
    stage.kafka.delete_group(BILLING_SERVICE, LIMIT)?;
    Ok(Crashed {
        bill: restarted.charges.compare(payments),
        looks: vec![before, killed, restarted],
    })
}

fn kill(program: &mut Program) -> Result<()> {
    if program.is_running()? {
        program.kill()?;
    }
    Ok(())
}
