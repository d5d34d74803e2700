//! Grading code that nobody has read: one submission, or a class.
//!
//! - [`Intake`] takes from a submission what is allowed, and nothing else.
//! - [`Pristine`] is a workspace without solutions or checks, in which a submission's sources are built.
//! - [`Grader`] judges a submission on brokers to itself, its programs confined.
//! - [`Class`] grades many, keeps the results whole, and goes on where it was stopped.
//! - [`formats`] tells a report to other platforms; [`Summary`] tells what a class has and has not understood.
//! - [`export()`] makes the repository to hand out, [`gradescope_package()`] the archive for Gradescope.

mod built_before;
mod class;
mod export;
pub mod formats;
mod grader;
mod gradescope_package;
mod intake;
mod pristine;
mod python;
mod review;
mod summary;

pub use built_before::take_over;
pub use class::{CLASS, Class, Graded};
pub use export::{Recipient, export};
pub use gradescope_package::gradescope_package;

pub use grader::Grader;
pub use intake::{Intake, Kind};
pub use pristine::Pristine;
pub use review::review;
pub use summary::Summary;
