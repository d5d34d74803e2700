//! Reports as pages: one HTML file each, that needs nothing else and no network.
//!
//! - [`timeline_page`] shows what happened: partitions over time, who owned them, commits, kills, what came again.
//! - [`review_page`] shows a submission beside starter and solution, hole by hole, with its verdicts.
//! - [`class_page`] shows a class: scores, a heat map, and who fails the same way.

mod class;
mod code;
mod compare;
mod figure;
mod highlight;
mod page;
mod record;
mod review;
mod scale;
mod timeline;
mod verdicts;

pub use class::class_page;
pub use compare::Versions;
pub use review::{Review, review_page};
pub use timeline::{Chapter, timeline_page};
