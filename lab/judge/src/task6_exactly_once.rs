mod checks;
mod copies;
mod demo;
mod run;
mod runs;

pub use checks::CHECKS;
pub use demo::run as demo;
