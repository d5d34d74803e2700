//! Task 3, the first member of the group. Its code is in member.rs.

mod member;

fn main() -> Result<(), common::Error> {
    member::run("A")
}
