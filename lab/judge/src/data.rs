//! The messages that checks publish, and the amounts of money in them.

pub mod events;
pub mod money;
pub mod payments;
