//! Reports in the formats of other platforms.

mod classroom50;
mod gradebook;
mod gradescope;
mod junit;
mod prairielearn;

pub use classroom50::classroom50;
pub use gradebook::gradebook;
pub use gradescope::gradescope;
pub use junit::junit;
pub use prairielearn::prairielearn;

use judge::{Judged, Outcome};

/// A verdict as a text for people.
fn explanation(row: &Judged) -> String {
    match row.outcome {
        Outcome::Passed => format!("expected: {}\nsaw: {}", row.expected, row.saw),
        Outcome::Failed => format!(
            "expected: {}\nsaw: {}\nhint: {}",
            row.expected, row.saw, row.hint
        ),
        Outcome::NotJudged => format!("Not judged, which is not your fault: {}", row.saw),
    }
}

/// The name of a check for people: its task and its title.
fn name(row: &Judged) -> String {
    format!("Task {}: {}", row.task, row.title)
}
