// This one is harmless, and does nothing: the others are judged all the same.
fn main() {}
