//! How an executable is linked that starts confined programs: a part of the build scripts of `cli` and `grading`.

/// Links it so that it stays at the addresses that it was linked for. Each confined program is started by it, and in a debug
/// build, 65,000 addresses would have to be relocated each time, which takes as long as the rest of its start.
pub fn at_fixed_addresses() {
    let target = ["OS", "ENV"].map(|part| std::env::var(format!("CARGO_CFG_TARGET_{part}")));
    if matches!(target, [Ok(os), Ok(env)] if os == "linux" && env == "gnu") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
