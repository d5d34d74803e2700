pub mod database;
pub mod fetches;
pub mod gate;
pub mod lane;
pub mod pool;
