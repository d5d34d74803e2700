//! Reports as pages: one HTML file each, that needs nothing else and no network.
//!
//! - [`timeline_page`] shows what happened: partitions over time, who owned them, commits, kills, what came again.
//! - [`review_page`] shows a submission beside starter and solution, hole by hole, with its verdicts.
//! - [`class_page`] shows a class: scores, a heat map, and who fails the same way.

mod figure;
mod page;
mod record;
mod scale;
mod timeline;

pub use timeline::{Chapter, timeline_page};
