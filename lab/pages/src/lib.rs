//! Reports as pages. Each page is one HTML file that needs no other file and no network. The pages only draw: everything that
//! they show was judged or put together before, in the crate `judge`.
//!
//! - [`timeline_page`] shows what happened: partitions over time, their owners, commits, kills, and what was sent again.
//! - [`report_page`] shows the verdicts on a submission, and what happened when a check failed.
//! - `review_page` also shows the submission beside the starter and the solution, hole by hole.
//! - `class_page` shows a class: the scores, which submissions fail the same checks, and a table of all verdicts.
//! - [`log_plot`] draws points on two logarithmic axes, for a [`page`] of measurements or as a picture of its own.
//! - `profile_page` shows where the seconds of grading went.

#[cfg(feature = "review")]
mod class;
#[cfg(feature = "review")]
mod code;
#[cfg(feature = "review")]
mod compare;
mod figure;
#[cfg(feature = "review")]
mod highlight;
mod log_plot;
mod page;
#[cfg(feature = "review")]
mod profile;
mod report;
#[cfg(feature = "review")]
mod review;
mod scale;
mod timeline;
mod told_once;
mod verdict_in_words;
mod verdicts;

#[cfg(feature = "review")]
pub use class::class_page;
#[cfg(feature = "review")]
pub use compare::Versions;
pub use log_plot::{Axis, Point, Series, log_plot, stand_alone};
pub use page::page;
#[cfg(feature = "review")]
pub use profile::{Profiled, profile_page};
pub use report::report_page;
#[cfg(feature = "review")]
pub use review::{Review, review_page};
pub use timeline::{Chapter, timeline_page};
