//! Does nothing. Without it, Cargo would ignore this package's build dependencies.

fn main() {}
