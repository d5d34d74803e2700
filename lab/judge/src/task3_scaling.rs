mod checks;
mod demo;

pub use checks::CHECKS;
pub use demo::run as demo;
