//! What the commands of `cargo lab` share: Ctrl-C, exit statuses, verdicts as text, progress bars, and files that are written
//! completely or not at all.

mod atomic_write;
mod exit;
mod lab_kafka;
mod page_file;
mod progress_bar;
mod verdicts;

pub use atomic_write::write_atomically;
pub use exit::{Usage, run_command};
pub use lab_kafka::{no_group, running};
pub use page_file::{ensure_writable, write_file, write_history, write_page};
pub use progress_bar::ProgressBar;
pub use verdicts::{exit_code, not_judged, print_verdicts, sign};
