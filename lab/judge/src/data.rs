//! What checks publish, and the amounts in it.

pub mod events;
pub mod money;
pub mod payments;
