pub mod clock;
pub mod database;
pub mod evidence;
pub mod fetches;
pub mod gate;
pub mod lane;
pub mod pool;
pub mod sweep;
