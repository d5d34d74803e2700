//! The programs that are judged: where they come from, and how one runs.

mod file_limit;
pub mod handed_out;
pub mod holes;
pub mod output;
mod paths;
mod process_group;
pub mod run;
pub mod submission;
pub mod transcript;
mod workspace;

pub use workspace::{
    BUILD_LIMIT, Built, PROGRAMS, Version, build, build_command, build_in, build_optimized, cargo,
    own_build_command, target, workspace,
};
