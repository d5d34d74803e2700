mod checks;
mod demo;
mod expected;
mod kills;
mod output;
mod runs;

pub use checks::CHECKS;
pub use demo::run as demo;
