mod checks;
mod demo;
mod offsets_read;

pub use checks::CHECKS;
pub use demo::run as demo;
