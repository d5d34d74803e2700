//! Root without CAP_SYS_RESOURCE, as in most containers: it may not limit the files of a program that runs as another user, but a
//! process of that user may.

use std::thread;

use anyhow::{Context, Error, Result, ensure};
use bank::bank;
use caps::{CapSet, Capability};
use confine::Confinement;
use judge::Outcome;
use libtest_mimic::Trial;

use crate::bank::judge;
use crate::trial;

pub fn trials() -> Vec<Trial> {
    let kills = trial(
        "without_capability::billing_is_killed_in_its_log",
        // Capabilities are those of a thread, and this one is not used again.
        || {
            thread::spawn(billing_is_killed_in_its_log)
                .join()
                .unwrap_or_else(|_| Err(Error::msg("the test panicked")))
        },
    );
    vec![kills.with_ignored_flag(true)]
}

fn billing_is_killed_in_its_log() -> Result<()> {
    caps::drop(None, CapSet::Effective, Capability::CAP_SYS_RESOURCE)?;
    let mut bank = bank()?.into_iter();
    let entry = bank.find(|entry| entry.name == "write_ahead_log");
    let entry = entry.context("the bank has no program with a write-ahead log")?;
    let confinement = Confinement {
        readable: vec![judge::programs::workspace().join("target")],
        as_nobody: true,
        ..Confinement::default()
    };
    let submission = entry.build()?.confined(confinement);
    let judged = judge(&submission, &[entry.task()]);
    let mut judged = judged.iter();
    let survives = judged.find(|row| row.id == "billing.survives_kills");
    let survives = survives.context("no verdict")?;
    ensure!(
        // Without its log, it would be killed six times.
        survives.outcome == Outcome::Passed && !survives.saw.contains("killed in 6 of 6 writes"),
        "{survives:?}"
    );
    Ok(())
}
