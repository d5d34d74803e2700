//! Nothing but features of other people's crates, in this package's `Cargo.toml`.
//!
//! Cargo builds a crate again for each set of its features. The lab has several executables, and each of them is built when it is
//! first used. Without this package, the first `cargo lab watch` and the first `cargo test` would build nearly everything again,
//! because one of their crates needs a feature of `syn` or `serde` that `cargo lab` does without. All executables of the lab depend
//! on this package, so they all need the same features.
