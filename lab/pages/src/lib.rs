//! Reports as pages: one HTML file each, that needs nothing else and no network.
//!
//! - [`timeline_page`] shows what happened: partitions over time, who owned them, commits, kills, what came again.
//! - [`report_page`] shows the verdicts on a submission, and what happened where a check failed.
//! - `review_page` shows a submission beside starter and solution as well, hole by hole.
//! - `class_page` shows a class: scores, a heat map, and who fails the same way.

#[cfg(feature = "review")]
mod class;
#[cfg(feature = "review")]
mod code;
#[cfg(feature = "review")]
mod compare;
mod figure;
#[cfg(feature = "review")]
mod highlight;
mod page;
mod record;
mod report;
#[cfg(feature = "review")]
mod review;
mod scale;
mod timeline;
mod verdicts;

#[cfg(feature = "review")]
pub use class::class_page;
#[cfg(feature = "review")]
pub use compare::Versions;
pub use report::report_page;
#[cfg(feature = "review")]
pub use review::{Review, review_page};
pub use timeline::{Chapter, timeline_page};
