//! Measuring in turns: a machine that becomes slower is then slower for every choice.

use anyhow::Result;
use terminal::ProgressBar;

/// Measures each choice once in every round. `measure` also gets a name that no other measurement has. Returns for each choice
/// what was measured, in the order of the rounds. The bar counts every measurement.
///
/// # Errors
/// If `measure` fails.
pub fn in_turns<C>(
    name: &str,
    choices: &[C],
    rounds: usize,
    bar: &ProgressBar,
    mut measure: impl FnMut(&C, &str) -> Result<f64>,
) -> Result<Vec<Vec<f64>>> {
    let mut measured = vec![Vec::new(); choices.len()];
    for round in 0..rounds {
        for (at, choice) in choices.iter().enumerate() {
            measured[at].push(measure(choice, &format!("{name}-{round}-{at}"))?);
            bar.one_more();
        }
    }
    Ok(measured)
}
