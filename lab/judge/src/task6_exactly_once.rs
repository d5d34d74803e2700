mod checks;
mod demo;
mod instance;
mod purchases;
mod runs;

pub use checks::CHECKS;
pub use demo::run as demo;
