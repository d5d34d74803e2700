mod checks;
mod demo;
mod lost_answer;

pub use checks::CHECKS;
pub use demo::run as demo;
