//! Task 3, the first member of the group. What it does is in member.rs.

mod member;

fn main() -> Result<(), common::Error> {
    member::run("A")
}
