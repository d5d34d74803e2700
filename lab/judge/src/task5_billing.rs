mod charges;
mod checks;
mod demo;
mod desk;
mod kills;
mod reading;
mod rows;
mod runs;

pub use checks::CHECKS;
pub use demo::run as demo;
pub use kills::{in_writes, on_the_wire};
pub use reading::read_database_if_asked;
