//! Grades programs that nobody has read: one submission, or a class.
//!
//! - [`Intake`] takes the allowed files from a submission, and no others.
//! - [`Pristine`] is a workspace without solutions or checks, in which a submission's sources are built.
//! - [`Grader`] judges one submission: its programs run confined, on brokers that no other submission uses.
//! - [`Class`] grades several submissions at a time. Its results are written completely or not at all, so an interrupted run can
//!   be continued.
//! - [`queue`] lets other machines judge a class: through Kafka, in which the submissions wait for workers.
//! - [`formats`] writes reports for other platforms, and [`Summary`] shows how a class did.
//! - [`export()`] makes the repository to hand out, and [`gradescope_package()`] the archive for Gradescope.

mod built_before;
mod class;
mod digest;
mod export;
pub mod formats;
mod grader;
mod intake;
mod judgment;
mod lab_digest;
mod listing;
mod package;
mod platform_files;
mod pristine;
mod programs_folder;
mod python;
pub mod queue;
mod readable;
mod results;
mod review;
mod roster;
mod summary;
mod uniform_report;
mod unpack;

pub use built_before::take_over;
pub use class::{Class, Graded};
pub use export::{Recipient, export};
pub use grader::Grader;
pub use intake::{Intake, Kind};
pub use package::{classroom50_package, gradescope_package};
pub use pristine::Pristine;
pub use results::INDEX;
pub use review::review;
pub use roster::Roster;
pub use summary::Summary;
