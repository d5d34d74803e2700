mod checks;
mod demo;
mod runs;

pub use checks::CHECKS;
pub use demo::run as demo;
