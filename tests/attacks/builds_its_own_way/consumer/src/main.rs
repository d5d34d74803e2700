// This program is harmless and does nothing. It must still be judged, even though `producer` does not compile.
fn main() {}
