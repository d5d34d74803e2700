pub mod cause;
pub mod check;
pub mod ended_at_once;
pub mod parts;
pub mod report;
