//! Task 3, the second member of the group: the same program as the first member, under another name.

#[path = "../../consumer_group_a/src/member.rs"]
mod member;

fn main() -> Result<(), common::Error> {
    member::run("B")
}
