//! Links the lab.

#[path = "../confine/linking.rs"]
mod linking;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../confine/linking.rs");
    linking::at_fixed_addresses();
}
