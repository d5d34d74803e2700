mod checks;
mod demo;
mod failures;
mod instance;
mod kills;
mod purchases;
mod runs;

pub use checks::CHECKS;
pub use demo::run as demo;
